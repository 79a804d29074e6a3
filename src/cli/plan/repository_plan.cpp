#include "cli/plan/repository_plan.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>

#include "cli/common/output.hpp"
#include "cli/common/plan_text.hpp"
#include "cli/common/progress.hpp"
#include "cli/common/update_text.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/fleet/engine_setup.hpp"
#include "vmpatch/fleet/refresh_rules.hpp"

namespace vmpatch::cli {

void add_repository_plan_options(CLI::App& verb, RepositoryPlanOptions& options, CLI::Option* from_repositories) {
  verb.add_option("--mode", options.mode, "security: security updates and what they need; all: a full upgrade [the mode of the machine's group, security]")
      ->check(CLI::IsMember({"security", "all"}))->type_name("MODE")->needs(from_repositories);
  verb.add_option("--exclude", options.exclude, "packages that stay as they are, by name or pattern; repeatable")
      ->type_name("PATTERN")->allow_extra_args(false)->needs(from_repositories);
  verb.add_flag("--fresh", options.fresh, "read the machines again, although their disks did not change")->needs(from_repositories);
}

Result<int> plan_from_repositories(Context& context, const fleet::MachineOptions& machine_options, const RepositoryPlanOptions& options) {
  ProgressDisplay display(context);
  reading::NullObserver observer;
  VMPATCH_TRY(auto setup, fleet::ReadSetup::make(context, observer, display));
  VMPATCH_TRY(auto repositories, fleet::Repositories::make(context, setup->policy(), display));
  VMPATCH_TRY(const auto machines, setup->select(context, machine_options));
  fleet::AskedRules asked{{}, options.exclude};
  if (!options.mode.empty()) asked.mode = options.mode == "all" ? repository::Mode::all : repository::Mode::security;
  const fleet::RefreshRules rules(setup->policy(), asked);
  Json updates = Json::array();
  int code = 0;
  std::optional<Error> failure;  // of one machine; the others are resolved all the same
  for (const auto& machine : machines) {
    const auto update = repositories.update_of(setup->reading(), machine, rules.of(machine).rules, options.fresh);
    if (!update) {
      failure = failure ? failure : update.error();
      display.error("{}", update.error().message);
      updates.push_back(failure_json(machine, update.error()));
      continue;
    }
    if (!update->update.changes.empty() || update->update.kept_back() > 0) code = std::max(code, 3);
    if (update->obstacle) code = exit_code(update->obstacle->code);
    if (context.options.json) {
      updates.push_back(update_json(machine, *update));
    } else {
      print_text(format_update(machine, *update, context.options.verbose > 0));
    }
  }
  if (context.options.json) print_json({{"schema", "vm-patch/updates/v1"}, {"updates", updates}});
  if (failure) return exit_code(failure->code);
  return code == 0 && !setup->selection().is_whole() ? 1 : code;
}

}  // namespace vmpatch::cli
