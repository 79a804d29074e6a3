#include <CLI/CLI.hpp>

#include "cli/common/engine_setup.hpp"
#include "cli/common/output.hpp"
#include "cli/verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

Json to_json(const engine::Recovered& entry) {
  return {{"run", entry.run.id},
          {"machine", {{"uuid", entry.run.machine_uuid}, {"name", entry.run.machine_name}}},
          {"state", ledger::to_string(entry.run.state)},
          {"action", entry.action},
          {"message", entry.message}};
}

bool ended(const engine::Recovered& entry) { return entry.action != "failed" && entry.action != "quarantined"; }

Result<int> run_recover(Context& context, bool retry) {
  engine::NullObserver observer;
  VMPATCH_TRY(auto setup, EngineSetup::make(context, observer, context.log));
  VMPATCH_TRY(const auto all, engine::recover(setup->environment(), retry));
  Json runs = Json::array();
  int code = 0;
  for (const auto& entry : all) {
    if (!ended(entry)) code = exit_code(Errc::recovery_needed);
    runs.push_back(to_json(entry));
    if (!context.options.json) {
      print_text(fmt::format("{}: run {} {}: {}\n", escape_untrusted(entry.run.machine_name), entry.run.id, entry.action, entry.message));
    }
  }
  if (context.options.json) {
    print_json({{"schema", "vm-patch/recover/v1"}, {"runs", runs}});
  } else if (all.empty() && !context.options.quiet) {
    print_text("no interrupted run\n");
  }
  return code;
}

}  // namespace

void add_recover_verb(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("recover", "End interrupted runs: every disk becomes the old or the new one, never between");
  auto retry = std::make_shared<bool>(false);
  verb->add_flag("--retry", *retry, "try quarantined runs once more");
  verb->footer("Safe to repeat. Exit code 7 when a run could not be ended.");
  verb->callback([retry, &chosen] { chosen.action = [retry](Context& context) { return run_recover(context, *retry); }; });
}

}  // namespace vmpatch::cli
