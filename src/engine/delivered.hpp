#pragma once
// A package database can be forged by the guest's root, so the files themselves are compared with what packages deliver.

#include <string>
#include <vector>

#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

struct Delivered {
  std::size_t compared = 0;
  std::vector<std::string> different;  ///< paths, safe for a terminal
};

/// Compares every regular file and symlink of the packages that are installed in exactly the payload's version. Left out, as
/// dpkg leaves them: conffiles, paths that the guest's dpkg.cfg.d excludes, diverted paths (their new name is compared).
Result<Delivered> compare_delivered(const Job& job, const recipe::PayloadStore& payloads, guest::Guest& guest,
                                    const guest::Facts& facts);

/// dpkg.cfg(5) path-exclude and path-include of a guest.
class PathFilter {
 public:
  static Result<PathFilter> read(guest::Guest& guest);
  void add_line(std::string_view line);
  [[nodiscard]] bool excluded(const std::string& path) const;  ///< the last matching rule counts

 private:
  std::vector<std::pair<bool, std::string>> rules_;  ///< {exclude, pattern}
};

}  // namespace vmpatch::engine
