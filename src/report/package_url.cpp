#include "report/sbom_parts.hpp"

#include "vmpatch/core/text.hpp"

namespace vmpatch::report {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

/// The purl specification's rules: all but letters, digits, ".-_~" and the colon is escaped.
std::string percent_encode(std::string_view text) {
  std::string result;
  for (const char c : utf8_text(text)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view(".-_~:").find(c) != std::string_view::npos;
    result += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return result;
}

std::string_view type_of(std::string_view package_manager) {
  if (package_manager == "dpkg") return "deb";
  if (package_manager == "pacman") return "alpm";
  return package_manager == "rpm" || package_manager == "apk" ? package_manager : std::string_view();
}

/// The vendor: os-release's ID, but for two that the world knows by another name.
std::string vendor_of(const guest::OsRelease& os) {
  if (os.id == "rhel") return "redhat";
  if (os.id.starts_with("opensuse")) return "opensuse";
  return lower(os.id);
}

/// Epoch and rest of an rpm version.
std::pair<std::string_view, std::string_view> split_epoch(std::string_view version) {
  const auto colon = version.find(':');
  if (colon == std::string_view::npos || version.find_first_not_of("0123456789") != colon) return {{}, version};
  return {version.substr(0, colon), version.substr(colon + 1)};
}

}  // namespace

std::string utf8_text(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    text += length == 0 ? std::string_view("\uFFFD") : bytes.substr(0, length);
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return text;
}

std::string package_url(const guest::OsRelease& os, std::string_view package_manager, const guest::Package& package) {
  const std::string_view type = type_of(package_manager);
  if (type.empty() || package.name.empty()) return {};
  const bool rpm = type == "rpm";
  const auto [epoch, version] = rpm ? split_epoch(package.version) : std::pair(std::string_view(), std::string_view(package.version));
  std::string url = fmt::format("pkg:{}/", type);
  if (!os.id.empty()) url += percent_encode(vendor_of(os)) + "/";
  url += percent_encode(rpm ? package.name : lower(package.name));
  if (!version.empty()) url += "@" + percent_encode(version);
  std::string upstream;
  if (!package.source.empty() && (package.source != package.name || package.source_version != package.version)) {
    upstream = package.source_version.empty() ? package.source : package.source + "@" + package.source_version;
  }
  const std::string distro = os.version_id.empty() ? os.id : os.id + "-" + os.version_id;
  // Sorted by key, as the canonical form demands.
  const std::pair<std::string_view, std::string_view> qualifiers[] = {
      {"arch", package.arch}, {"distro", distro}, {"epoch", epoch == "0" ? std::string_view() : epoch}, {"upstream", upstream}};
  char separator = '?';
  for (const auto& [key, value] : qualifiers) {
    if (value.empty()) continue;
    url += fmt::format("{}{}={}", separator, key, percent_encode(value));
    separator = '&';
  }
  return url;
}

}  // namespace vmpatch::report
