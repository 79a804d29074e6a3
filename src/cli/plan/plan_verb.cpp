#include <CLI/CLI.hpp>

#include "cli/common/machine_options.hpp"
#include "cli/common/output.hpp"
#include "cli/common/plan_text.hpp"
#include "cli/common/progress.hpp"
#include "cli/plan/repository_plan.hpp"
#include "cli/verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/fleet/engine_setup.hpp"

namespace vmpatch::cli {
namespace {

struct PlanOptions {
  fleet::MachineOptions machines;
  fs::path recipe;
  bool from_repositories = false;
  RepositoryPlanOptions repositories;
};

int code_of(plan::Outcome outcome) {
  switch (outcome) {
    case plan::Outcome::apply: return 3;
    case plan::Outcome::refused: return exit_code(Errc::refused);
    default: return 0;
  }
}

Result<int> run_plan(Context& context, const PlanOptions& options) {
  reading::NullObserver observer;
  VMPATCH_TRY(auto setup, fleet::EngineSetup::make(context, observer, context.log));
  VMPATCH_TRY(const auto recipe, setup->load_recipe(context, options.recipe));
  VMPATCH_TRY(const auto job, setup->make_job(recipe, options.recipe));
  VMPATCH_TRY(const auto machines, setup->select(context, options.machines));
  Json plans = Json::array();
  int code = 0;
  std::optional<Error> failure;  // of one machine; the others are planned all the same
  for (const auto& machine : machines) {
    const auto plan = engine::assess(setup->environment(), job, machine);
    if (!plan) {
      failure = failure ? failure : plan.error();
      context.log.error("{}", plan.error().message);
      plans.push_back(failure_json(machine, plan.error()));
      continue;
    }
    if (context.options.json) {
      plans.push_back(plan::to_json(*plan));
    } else {
      print_text(format_plan(*plan, context.options.verbose > 0));
    }
    code = std::max(code, code_of(plan->outcome));
  }
  if (context.options.json) print_json({{"schema", "vm-patch/plans/v1"}, {"plans", plans}});
  if (failure) return exit_code(failure->code);
  return code == 0 && !setup->selection().is_whole() ? 1 : code;
}

}  // namespace

void add_plan_verb(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("plan", "Show what a recipe would change on machines, and why others are not touched");
  auto options = std::make_shared<PlanOptions>();
  add_machine_options(*verb, options->machines);
  auto* recipe = verb->add_option("-r,--recipe", options->recipe, "signed bundle (*.vmpatch)")->type_name("FILE");
  auto* from_repositories = verb->add_flag("--from-repositories", options->from_repositories,
                                           "instead of a recipe: what the configured package repositories would update")->excludes(recipe);
  add_repository_plan_options(*verb, options->repositories, from_repositories);
  verb->footer("Writes no disk. Exit code 3 when something would change, 4 when a machine is not fit for it.\n"
               "Examples: vm-patch plan -d web01 -r openssl.vmpatch\n"
               "          vm-patch plan --all --from-repositories --mode security");
  verb->callback([options, recipe, &chosen] {
    if (!options->from_repositories && recipe->empty()) throw CLI::RequiredError("--recipe or --from-repositories");
    chosen.action = [options](Context& context) {
      return options->from_repositories ? plan_from_repositories(context, options->machines, options->repositories) : run_plan(context, *options);
    };
  });
}

}  // namespace vmpatch::cli
