#include "advisory/location.hpp"

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {

Result<Location> parse_location(const std::string& text) {
  Location location;
  location.target = text;
  if (const auto equals = text.find('='); equals != std::string::npos) {
    if (const auto kind = parse_feed_kind(std::string_view(text).substr(0, equals)); kind) {
      location.kind = *kind;
      location.target = text.substr(equals + 1);
    }
  }
  const std::string shown = escape_untrusted(text);
  if (location.target.empty()) return fail(Errc::usage, "'{}': no path and no URL", shown);
  const auto scheme_end = location.target.find("://");
  if (scheme_end == std::string::npos) return location;
  location.is_url = true;
  const std::string scheme = location.target.substr(0, scheme_end);
  if (scheme != "https" && scheme != "http") return fail(Errc::usage, "'{}': feeds are fetched by https", shown);
  const std::size_t authority = scheme_end + 3;
  const std::string_view server = std::string_view(location.target).substr(authority, location.target.find_first_of("/?#", authority) - authority);
  if (server.find('@') != std::string_view::npos) return fail(Errc::usage, "a feed's URL must not hold a user name or password");
  const auto hash = location.target.find('#');
  if (hash == std::string::npos) return location;
  constexpr std::string_view key = "#sha256=";
  const std::string fragment = location.target.substr(hash);
  auto digest = fragment.starts_with(key) ? Digest::parse(fragment.substr(key.size())) : Result<Digest>(fail(Errc::failed, "no digest"));
  if (!digest) return fail(Errc::usage, "'{}': behind '#' only sha256= with 64 hex digits may follow", shown);
  location.digest = *digest;
  location.target.erase(hash);
  return location;
}

}  // namespace vmpatch::advisory
