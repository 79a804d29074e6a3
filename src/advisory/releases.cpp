#include "advisory/releases.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>
#include <vector>

#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

template <std::size_t size>
using Table = std::array<std::pair<std::string_view, std::string_view>, size>;

constexpr Table<9> debian{{{"8", "jessie"},
                           {"9", "stretch"},
                           {"10", "buster"},
                           {"11", "bullseye"},
                           {"12", "bookworm"},
                           {"13", "trixie"},
                           {"14", "forky"},
                           {"15", "duke"},
                           {"sid", "unstable"}}};

constexpr Table<30> ubuntu{{{"12.04", "precise"},   {"12.10", "quantal"}, {"13.04", "raring"},  {"13.10", "saucy"},    {"14.04", "trusty"},
                            {"14.10", "utopic"},    {"15.04", "vivid"},   {"15.10", "wily"},    {"16.04", "xenial"},   {"16.10", "yakkety"},
                            {"17.04", "zesty"},     {"17.10", "artful"},  {"18.04", "bionic"},  {"18.10", "cosmic"},   {"19.04", "disco"},
                            {"19.10", "eoan"},      {"20.04", "focal"},   {"20.10", "groovy"},  {"21.04", "hirsute"},  {"21.10", "impish"},
                            {"22.04", "jammy"},     {"22.10", "kinetic"}, {"23.04", "lunar"},   {"23.10", "mantic"},   {"24.04", "noble"},
                            {"24.10", "oracular"},  {"25.04", "plucky"},  {"25.10", "questing"}, {"26.04", "resolute"}, {"26.10", "stonking"}}};

template <std::size_t size>
std::string_view find(const Table<size>& table, std::string_view code_name) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const auto& row) { return row.second == code_name; });
  return found == table.end() ? std::string_view() : found->first;
}

}  // namespace

std::string_view debian_number(std::string_view code_name) { return find(debian, code_name); }
std::string_view ubuntu_number(std::string_view code_name) { return find(ubuntu, code_name); }

std::string lower_case(std::string_view text) {
  std::string result(text.substr(0, 200));
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

std::string alpine_release(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  if (text.find("_alpha") != std::string_view::npos) return "edge";  // what an edge machine calls itself
  const auto parts = split(text, '.');
  return parts.size() < 2 ? std::string(text) : std::string(parts[0]) + "." + std::string(parts[1]);
}

std::string suse_release(std::string_view text) {
  std::string all = lower_case(text);
  std::replace(all.begin(), all.end(), '-', ' ');
  const auto words = split(all, ' ');
  std::string base;
  std::string pack;
  for (const auto word : words) {
    if (word.starts_with("sp") && word.size() > 2 && std::isdigit(static_cast<unsigned char>(word[2])) != 0) pack = word.substr(2);
    else if (!word.empty() && std::isdigit(static_cast<unsigned char>(word[0])) != 0) base = word;
  }
  if (base.ends_with(".0") && base.find('.') == base.size() - 2 && pack.empty() && base < "16") base.resize(base.size() - 2);
  return pack.empty() || base.find('.') != std::string::npos ? base : base + "." + pack;
}

std::string suse_module_release(std::string_view text) {
  std::string release = suse_release(text);
  return release == "12" ? "12.x" : release;
}

std::string ubuntu_release(std::string_view text) {
  std::string release = lower_case(text);
  if (const auto number = ubuntu_number(release); !number.empty()) return std::string(number);
  const auto parts = split(release, '.');
  const auto is_number = [](std::string_view part) { return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos; };
  if (parts.size() != 3 || !std::all_of(parts.begin(), parts.end(), is_number)) return release;
  return std::string(parts[0]) + "." + std::string(parts[1]);
}

std::optional<std::string> ubuntu_archive(std::string_view distro) {
  const auto slash = distro.find('/');
  if (slash == std::string_view::npos) return std::string(distro);
  const std::string_view archive = distro.substr(0, slash);
  const std::string_view rest = distro.substr(slash + 1);
  if (rest == "esm") return std::string(archive);
  for (const std::string_view own : {"esm-infra", "esm-infra-legacy", "esm-apps", "esm-apps-legacy", "esm"}) {
    if (archive == own) return std::string(rest);
  }
  for (const std::string_view other : {"fips", "realtime", "bluefield", "ros-esm", "intel", "nvidia", "anbox", "cc-eal", "cis"}) {
    if (archive.starts_with(other)) return std::nullopt;
  }
  return std::string(distro);
}

}  // namespace vmpatch::advisory
