#pragma once
// A Release file, parsed. Format: the Debian Repository Format, "Release files". Pure.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/digest.hpp"

namespace vmpatch::repository::debian {

struct FileEntry {
  Digest sha256;
  std::uint64_t size = 0;  ///< bytes
};

struct Release {
  std::string origin, label, suite, codename, version;
  Time date{};
  std::optional<Time> valid_until;
  std::vector<std::string> architectures, components;
  bool by_hash = false;               ///< files can be had by their digest
  bool all_is_in_each = false;        ///< packages for all architectures are in each architecture's list
  std::map<std::string, FileEntry> files;  ///< of the SHA256 list: "main/binary-amd64/Packages.xz" → …
};

/// Errors: untrusted, with the line (a field twice, no Date, no SHA256 list, paths that leave the suite's folder, more than 200,000 files,
/// names that are no UTF-8).
Result<Release> parse_release(std::string_view text);

/// "Sat, 11 Nov 2023 10:00:00 UTC" (RFC 1123; the zone is UTC or +0000). Errc::untrusted otherwise.
Result<Time> parse_release_date(std::string_view text);

}  // namespace vmpatch::repository::debian
