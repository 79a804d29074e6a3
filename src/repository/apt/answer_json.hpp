#pragma once

#include "vmpatch/repository/update.hpp"

namespace vmpatch::repository::apt {

struct RawAnswer {
  Update update;                     ///< without repository, suite, source and source_version of its changes
  std::vector<std::size_t> sources;  ///< number of the suite that each change comes from; of a removed one it does not count
};

/// As vm-patch-apt wrote it (answer.hpp). Names, versions and paths are what Debian Policy permits; at most 50,000 of anything, and 1 TiB a
/// package. Errc::failed.
Result<RawAnswer> parse_answer(std::string_view text);

}  // namespace vmpatch::repository::apt
