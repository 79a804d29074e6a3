#include <CLI/CLI.hpp>

#include "cli/common/machine_options.hpp"
#include "cli/common/output.hpp"
#include "cli/common/plan_text.hpp"
#include "cli/verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/engine/attestation_keys.hpp"
#include "vmpatch/fleet/engine_setup.hpp"

namespace vmpatch::cli {
namespace {

struct VerifyOptions {
  fleet::MachineOptions machines;
  fs::path recipe;
};

void print(const inventory::Machine& machine, const engine::VerifyReport& report, bool verbose) {
  const auto name = escape_untrusted(machine.name);
  if (!report.applicable) {
    print_text(fmt::format("{}: recipe does not apply: {}\n", name, fmt::join(report.unmet, "; ")));
    return;
  }
  const auto weaker = report.proof ? describe_weaker(to_string(*report.proof)) : std::string();
  print_text(fmt::format("{}: {}{}\n", name, report.unmet.empty() ? "holds, attested" : "does not hold",
                         weaker.empty() ? weaker : fmt::format(" ({})", weaker)));
  for (const auto& line : report.unmet) print_text(fmt::format("  not met: {}\n", line));
  print_text(format_dropped(report.dropped));
  if (verbose) {
    for (const auto& line : report.checks) print_text(fmt::format("  held: {}\n", line));
  }
}

Json to_json(const inventory::Machine& machine, const engine::VerifyReport& report) {
  return {{"machine", machine_json(machine)},
          {"applicable", report.applicable},
          {"holds", report.applicable && report.unmet.empty()},
          {"unmet", report.unmet},
          {"checks", report.checks},
          {"attested", report.attested},
          {"proof", report.proof ? Json(to_string(*report.proof)) : Json()},
          {"dropped", engine::to_json(report.dropped)}};
}

Result<int> run_verify(Context& context, const VerifyOptions& options) {
  reading::NullObserver observer;
  VMPATCH_TRY(auto setup, fleet::EngineSetup::make(context, observer, context.log));
  VMPATCH_CHECK(engine::check_attestation_key(setup->environment().run_places));
  VMPATCH_TRY(const auto recipe, setup->load_recipe(context, options.recipe));
  VMPATCH_TRY(const auto job, setup->make_job(recipe, options.recipe));
  VMPATCH_TRY(const auto machines, setup->select(context, options.machines));
  Json entries = Json::array();
  int code = 0;
  std::optional<Error> failure;  // of one machine; the others are verified all the same
  for (const auto& machine : machines) {
    const auto report = engine::verify(setup->environment(), job, machine);
    if (!report) {
      failure = failure ? failure : report.error();
      context.log.error("{}", report.error().message);
      entries.push_back(failure_json(machine, report.error()));
      continue;
    }
    if (report->applicable && !report->unmet.empty()) code = 3;
    if (context.options.json) {
      entries.push_back(to_json(machine, *report));
    } else {
      print(machine, *report, context.options.verbose > 0);
    }
  }
  if (context.options.json) print_json({{"schema", "vm-patch/verify/v1"}, {"machines", entries}});
  if (failure) return exit_code(failure->code);
  return code == 0 && !setup->selection().is_whole() ? 1 : code;
}

}  // namespace

void add_verify_verb(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("verify", "Check machines against a recipe again, without writing their disks");
  auto options = std::make_shared<VerifyOptions>();
  add_machine_options(*verb, options->machines);
  verb->add_option("-r,--recipe", options->recipe, "signed bundle (*.vmpatch)")->required()->type_name("FILE");
  verb->footer("A dormant machine on which everything holds gets a new attestation. Exit code 3 when something does not hold.\n"
               "Example: vm-patch verify -d web01 -r openssl.vmpatch");
  verb->callback([options, &chosen] {
    chosen.action = [options](Context& context) { return run_verify(context, *options); };
  });
}

}  // namespace vmpatch::cli
