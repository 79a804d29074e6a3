#pragma once
// What the repository verbs do once their options are read.

#include <string>
#include <vector>

#include "vmpatch/cli/context.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::cli {

struct ImportOptions {
  std::string os_id;                ///< "" = by code name, else this host's
  std::string release;              ///< VERSION_ID; only with os_id
  std::vector<fs::path> signed_by;  ///< for sources of which apt names no key file
  fs::path output;                  ///< empty = standard output
};

Result<int> import_repositories(Context& context, const ImportOptions& options);
Result<int> list_repositories(Context& context);

}  // namespace vmpatch::cli
