#pragma once
// [KIND=]PATH or [KIND=]URL[#sha256=HEX], as users name feeds.

#include <optional>
#include <string>

#include "vmpatch/advisory/database.hpp"

namespace vmpatch::advisory {

struct Location {
  FeedKind kind = FeedKind::automatic;
  bool is_url = false;
  std::string target;  ///< path, or URL without fragment
  std::optional<Digest> digest;
};

/// Errc::usage: empty, another scheme than http and https, a fragment that is no digest.
Result<Location> parse_location(const std::string& text);

}  // namespace vmpatch::advisory
