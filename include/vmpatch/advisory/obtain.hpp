#pragma once
// From a feed's location to a file: local paths as they are, URLs by way of a cache.

#include <filesystem>
#include <string>

#include "vmpatch/advisory/database.hpp"
#include "vmpatch/core/log.hpp"

namespace vmpatch::advisory {

struct ObtainOptions {
  std::filesystem::path cache_dir;  ///< CACHE/feeds; made 0755
  Seconds max_age{24 * 3600};       ///< a younger copy is used without asking the server
  bool offline = false;             ///< only the cache; a URL without a copy is an error
  bool refresh = false;             ///< ask the server whatever the age
};

/// `location`: [KIND=]PATH or [KIND=]URL, KIND being a feed kind. URL: https (http only to loopback or with a pinned
/// digest), optionally with "#sha256=HEX", which the content must have. Download runs in an unprivileged process
/// (the module fetch), with bounds of size and time, conditional (ETag, Last-Modified), and replaces the copy only when
/// it is whole. When the server cannot be reached an older copy is used with a warning that tells its age.
/// Errors: usage (location), not_found, failed, untrusted (digest).
Result<FeedFile> obtain(const std::string& location, const ObtainOptions& options, const Clock& clock, Log& log);

}  // namespace vmpatch::advisory
