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

struct NamesOptions {
  std::vector<std::string> names;  ///< of the configuration; empty = all
};

Result<int> import_repositories(Context& context, const ImportOptions& options);
Result<int> list_repositories(Context& context);
/// Asks the servers.
Result<int> refresh_repositories(Context& context, const NamesOptions& options);
/// What was accepted last.
Result<int> show_repositories(Context& context, const NamesOptions& options);
Result<int> forget_repository(Context& context, const std::string& name);

}  // namespace vmpatch::cli
