#pragma once
// plan --from-repositories: what verified repositories would update.

#include <string>
#include <vector>

#include "vmpatch/cli/context.hpp"
#include "vmpatch/core/result.hpp"
#include "vmpatch/fleet/selection.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace vmpatch::cli {

struct RepositoryPlanOptions {
  std::string mode;  ///< empty: that of the machine's group
  std::vector<std::string> exclude;
  bool fresh = false;
};

/// --mode, --exclude and --fresh, which go with `from_repositories` alone.
void add_repository_plan_options(CLI::App& verb, RepositoryPlanOptions& options, CLI::Option* from_repositories);

/// By what was fetched last: no server is asked. Reads machines, writes no disk and no ledger.
Result<int> plan_from_repositories(Context& context, const fleet::MachineOptions& machines, const RepositoryPlanOptions& options);

}  // namespace vmpatch::cli
