#include <algorithm>

#include "vmpatch/core/text.hpp"
#include "vmpatch/fetch/session.hpp"

namespace vmpatch::fetch {
namespace {

/// Of "host", "host:80", "[::1]:80". Anything else may be a password with a slash in it.
bool has_sane_port(std::string_view authority) {
  const auto bracket = authority.rfind(']');
  const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon == std::string_view::npos) return true;
  return std::ranges::all_of(authority.substr(colon + 1), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string shown_url(std::string_view url) {
  const auto scheme = url.find("://");
  const std::size_t start = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::string_view prefix = url.substr(0, start);
  std::string_view rest = url.substr(start, url.find_first_of("?#", start) - start);
  std::string_view authority = rest.substr(0, rest.find('/'));
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    rest.remove_prefix(at + 1);
    authority.remove_prefix(at + 1);
  }
  return escape_untrusted(prefix) + (has_sane_port(authority) ? escape_untrusted(rest) : "...");
}

}  // namespace vmpatch::fetch
