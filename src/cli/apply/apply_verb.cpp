#include <CLI/CLI.hpp>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "cli/common/machine_options.hpp"
#include "cli/common/output.hpp"
#include "cli/common/plan_text.hpp"
#include "cli/common/progress.hpp"
#include "cli/verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/engine/attestation_keys.hpp"
#include "vmpatch/fleet/batch.hpp"
#include "vmpatch/fleet/engine_setup.hpp"

namespace vmpatch::cli {
namespace {

struct ApplyOptions {
  fleet::MachineOptions machines;
  fs::path recipe;
  bool yes = false;
  std::optional<unsigned> jobs;
  std::optional<policy::BootProof> boot_proof;
};

Result<void> ask(const std::vector<inventory::Machine>& machines, const recipe::Recipe& recipe) {
  if (::isatty(STDIN_FILENO) != 1) return fail(Errc::usage, "apply writes disks: say --yes, or answer on a terminal");
  std::fprintf(stderr, "Apply %s version %u to %zu machine(s):", recipe.id.c_str(), recipe.version, machines.size());
  for (const auto& machine : machines) std::fprintf(stderr, " %s", escape_untrusted(machine.name).c_str());
  std::fprintf(stderr, "? [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "yes") return {};
  return fail(Errc::refused, "not confirmed; nothing was changed");
}

std::string last_word(const Result<engine::Report>& result) {
  if (!result) return fmt::format("{}: {}", to_string(result.error().code), result.error().message);
  switch (result->plan.outcome) {
    case plan::Outcome::apply: return result->published.empty() ? "patched, verified, committed, attested" : "patched, verified, published, attested";
    case plan::Outcome::satisfied: return "nothing to do, attested";
    case plan::Outcome::not_applicable: return "recipe does not apply";
    case plan::Outcome::refused: return "refused";
  }
  return {};
}

Json to_json(const std::vector<fleet::BatchResult>& results) {
  Json entries = Json::array();
  for (const auto& [machine, result] : results) {
    if (!result) {
      auto entry = failure_json(machine, result.error());
      entry["result"] = "failed";
      entries.push_back(std::move(entry));
    } else {
      Json entry{{"machine", machine_json(machine)}};
      entry["result"] = result->run_id.empty() ? std::string(plan::to_string(result->plan.outcome)) : "patched";
      entry["report"] = engine::to_json(*result);
      entries.push_back(std::move(entry));
    }
  }
  return {{"schema", "vm-patch/apply/v1"}, {"machines", std::move(entries)}};
}

void print(const Context& context, const std::vector<fleet::BatchResult>& results) {
  if (context.options.json) return print_json(to_json(results));
  for (const auto& [machine, result] : results) {
    if (result) {
      print_text(format_report(*result, context.options.verbose > 0));
    } else {
      print_text(fmt::format("{}: not patched ({}): {}\n", escape_untrusted(machine.name), to_string(result.error().code),
                             result.error().message));
    }
  }
}

Result<int> run_apply(Context& context, const ApplyOptions& options) {
  std::vector<fleet::BatchResult> results;
  bool is_whole = false;
  {
    ProgressDisplay display(context);
    VMPATCH_TRY(auto setup, fleet::EngineSetup::make(context, display, display));
    if (options.machines.without_libvirt) setup->answer_for(options.machines.images);
    setup->set_boot_proof(options.boot_proof);
    VMPATCH_CHECK(engine::check_attestation_key(setup->environment().run_places));
    VMPATCH_CHECK(fleet::recover_first(*setup, display));
    VMPATCH_TRY(const auto recipe, setup->load_recipe(context, options.recipe));
    VMPATCH_TRY(const auto job, setup->make_job(recipe, options.recipe));
    VMPATCH_TRY(const auto machines, setup->select(context, options.machines));
    is_whole = setup->selection().is_whole();
    if (!options.yes) VMPATCH_CHECK(ask(machines, recipe.get()));
    const auto jobs = options.jobs.value_or(setup->policy().jobs);
    results = fleet::apply_all(setup->environment(), job, machines, jobs,
                               [&](const fleet::BatchResult& entry) { display.finish(entry.machine, last_word(entry.result)); });
    VMPATCH_TRY(const auto expired, engine::expire_undo(setup->environment(), context.clock.now() - setup->policy().undo_keep));
    if (expired > 0) display.debug("{} undo images have expired", expired);
  }
  print(context, results);
  const int code = fleet::exit_code_of(results);
  return code == 0 && !is_whole ? 1 : code;
}

}  // namespace

void add_apply_verb(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("apply", "Patch dormant machines: overlay, patch, verify, commit, attest");
  auto options = std::make_shared<ApplyOptions>();
  add_machine_options(*verb, options->machines);
  verb->add_option("-r,--recipe", options->recipe, "signed bundle (*.vmpatch)")->required()->type_name("FILE");
  verb->add_flag("-y,--yes", options->yes, "do not ask");
  verb->add_option("-j,--jobs", options->jobs, "machines side by side [jobs of the configuration, 2]")
      ->check(CLI::Range(1, 64))->type_name("N");
  add_boot_proof(*verb, options->boot_proof);
  verb->footer("A run that fails leaves the disks as they were; one that was interrupted is ended by 'vm-patch recover'.\n"
               "Example: vm-patch apply -d web01 -d web02 -r openssl.vmpatch --yes --jobs 2");
  verb->callback([options, &chosen] {
    chosen.action = [options](Context& context) { return run_apply(context, *options); };
  });
}

}  // namespace vmpatch::cli
