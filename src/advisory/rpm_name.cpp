#include "advisory/rpm_name.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace vmpatch::advisory {
namespace {

constexpr std::size_t longest = 512;
constexpr std::array<std::string_view, 18> architectures{"x86_64", "noarch", "i386",  "i486",    "i586",   "i686",   "aarch64", "armv6hl", "armv7hl",
                                                         "armv7l", "ppc",    "ppc64", "ppc64le", "s390",   "s390x",  "riscv64", "src",     "nosrc"};

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

bool is_name(std::string_view text) {
  return !text.empty() && std::isalnum(static_cast<unsigned char>(text[0])) != 0 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c < 0x80 && (std::isalnum(c) != 0 || std::string_view("-._+~^:").find(static_cast<char>(c)) != std::string_view::npos);
  });
}

/// "1:2.0~rc1", "2.0"
bool is_version(std::string_view text) {
  const auto colon = text.find(':');
  if (colon != std::string_view::npos) {
    if (colon == 0 || !std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon), is_digit)) return false;
    text.remove_prefix(colon + 1);
  }
  return !text.empty() && is_digit(text[0]) && text.find(':') == std::string_view::npos;
}

}  // namespace

std::optional<RpmName> parse_rpm_name(std::string_view text) {
  if (text.size() > longest || !is_name(text)) return std::nullopt;
  RpmName result;
  if (const auto dot = text.rfind('.'); dot != std::string_view::npos) {
    const std::string_view end = text.substr(dot + 1);
    if (std::find(architectures.begin(), architectures.end(), end) != architectures.end()) {
      result.arch = end;
      text = text.substr(0, dot);
    }
  }
  const auto last = text.rfind('-');
  const auto middle = last == std::string_view::npos || last == 0 ? std::string_view::npos : text.rfind('-', last - 1);
  if (middle != std::string_view::npos && middle > 0) {
    const std::string_view release = text.substr(last + 1);
    const bool numbered = std::any_of(release.begin(), release.end(), is_digit);
    // Without an architecture libfoo-2_0-18 is a name, libfoo-2.0-18.1 a package.
    if (numbered && is_version(text.substr(middle + 1, last - middle - 1)) && (!result.arch.empty() || release.find('.') != std::string_view::npos)) {
      result.name = text.substr(0, middle);
      result.version = text.substr(middle + 1);
      return result.name.find(':') == std::string::npos ? std::optional(result) : std::nullopt;
    }
  }
  const std::string_view tail = last == std::string_view::npos ? std::string_view() : text.substr(last + 1);
  if ((!tail.empty() && is_version(tail) && tail.find('.') != std::string_view::npos) || text.find(':') != std::string_view::npos) return std::nullopt;
  result.name = text;
  return result;
}

}  // namespace vmpatch::advisory
