#include <CLI/CLI.hpp>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "cli/common/machine_options.hpp"
#include "cli/common/output.hpp"
#include "cli/verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fleet/engine_setup.hpp"

namespace vmpatch::cli {
namespace {

using engine::WayOut;

struct RecoverOptions {
  std::string run;
  std::string to;
  bool retry = false;
  bool yes = false;
  fleet::MachineOptions machines;  ///< only --without-libvirt
};

const std::map<std::string, WayOut> ways = {{"keep", WayOut::keep}, {"old", WayOut::to_old}, {"new", WayOut::to_new}};

Json to_json(const engine::Recovered& entry) {
  return {{"run", entry.run.id},
          {"machine", {{"uuid", entry.run.machine_uuid}, {"name", entry.run.machine_name}}},
          {"state", ledger::to_string(entry.run.state)},
          {"action", entry.action},
          {"message", entry.message}};
}

bool ended(const engine::Recovered& entry) { return ledger::is_final(entry.run.state) || entry.action == "held"; }

void print(const Context& context, const std::vector<engine::Recovered>& all) {
  if (context.options.json) {
    Json runs = Json::array();
    for (const auto& entry : all) runs.push_back(to_json(entry));
    return print_json({{"schema", "vm-patch/recover/v1"}, {"runs", runs}});
  }
  for (const auto& entry : all) {
    print_text(fmt::format("{}: run {} {}: {}\n", escape_untrusted(entry.run.machine_name), entry.run.id, entry.action, entry.message));
  }
  if (all.empty() && !context.options.quiet) print_text("no interrupted run\n");
}

Result<int> recover_all(Context& context, fleet::EngineSetup& setup, bool retry) {
  VMPATCH_TRY(const auto all, engine::recover(setup.environment(), retry));
  print(context, all);
  const bool fine = std::all_of(all.begin(), all.end(), ended);
  return fine ? 0 : exit_code(Errc::recovery_needed);
}

std::string describe(const engine::WaysOut& found) {
  auto text = fmt::format("run {} on {} is {}{}{}\n", found.run.id, escape_untrusted(found.run.machine_name), ledger::to_string(found.run.state),
                          found.run.error.empty() ? "" : ": ", escape_untrusted(found.run.error));
  for (const auto& line : found.disks) text += fmt::format("  {}\n", line);
  for (const auto& line : found.remarks) text += fmt::format("  {}\n", line);
  for (const auto& [name, way] : ways) {
    const auto lost = found.lost.find(way);
    if (lost != found.lost.end()) text += fmt::format("  --to {:<5} {}\n", name, lost->second);
  }
  return text;
}

Json to_json(const engine::WaysOut& found) {
  Json open = Json::object();
  for (const auto& [name, way] : ways) {
    const auto lost = found.lost.find(way);
    if (lost != found.lost.end()) open[name] = lost->second;
  }
  return {{"schema", "vm-patch/recover-ways/v1"}, {"run", found.run.id}, {"state", ledger::to_string(found.run.state)},
          {"error", found.run.error}, {"disks", found.disks}, {"remarks", found.remarks}, {"ways", open}};
}

Result<void> ask(const std::string& run, const std::string& to) {
  if (::isatty(STDIN_FILENO) != 1) return fail(Errc::usage, "this ends run {} for good: say --yes, or answer on a terminal", run);
  std::fprintf(stderr, "End run %s --to %s? [y/N] ", run.c_str(), to.c_str());
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "yes") return {};
  return fail(Errc::refused, "not confirmed; nothing was changed");
}

Result<int> recover_one(Context& context, fleet::EngineSetup& setup, const RecoverOptions& options) {
  VMPATCH_TRY(const auto found, engine::ways_out(setup.environment(), options.run));
  if (options.to.empty()) {
    if (context.options.json) {
      print_json(to_json(found));
    } else {
      print_text(describe(found));
    }
    return exit_code(Errc::recovery_needed);
  }
  const auto way = ways.at(options.to);
  if (!found.lost.contains(way)) return fail(Errc::refused, "run {} cannot be ended --to {}; 'vm-patch recover {}' shows the ways out",
                                             options.run, options.to, options.run);
  if (!options.yes) {
    std::fprintf(stderr, "%s", describe(found).c_str());
    VMPATCH_CHECK(ask(options.run, options.to));
  }
  VMPATCH_TRY(const auto recovered, engine::end_run(setup.environment(), found, way));
  print(context, {recovered});
  return ended(recovered) ? 0 : exit_code(Errc::recovery_needed);
}

Result<int> run_recover(Context& context, const RecoverOptions& options) {
  if (options.run.empty() && !options.to.empty()) return fail(Errc::usage, "--to needs the run that it ends: vm-patch recover RUN --to {}", options.to);
  if (!options.run.empty() && options.retry) return fail(Errc::usage, "--retry is for all runs; name none");
  reading::NullObserver observer;
  VMPATCH_TRY(auto setup, fleet::EngineSetup::make(context, observer, context.log));
  if (options.machines.without_libvirt) setup->answer_for_all();
  return options.run.empty() ? recover_all(context, *setup, options.retry) : recover_one(context, *setup, options);
}

}  // namespace

void add_recover_verb(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("recover", "End interrupted runs: every disk becomes the old or the new one, never between");
  auto options = std::make_shared<RecoverOptions>();
  verb->add_option("RUN", options->run, "show the ways out of this one run, which is quarantined or committing");
  verb->add_option("--to", options->to, "end it by choice: keep (leave the disks as they are), old, or new")
      ->check(CLI::IsMember(ways))->type_name("WAY");
  verb->add_flag("--retry", options->retry, "look at quarantined runs once more");
  verb->add_flag("-y,--yes", options->yes, "do not ask");
  add_without_libvirt(*verb, options->machines);
  verb->footer("Safe to repeat. A run is quarantined where somebody else wrote to its disks: nothing is touched then until you choose. Exit code "
               "7 when a run could not be ended.\n\nExamples:\n  vm-patch recover\n  vm-patch recover 3f1c…\n  vm-patch recover 3f1c… --to old");
  verb->callback([options, &chosen] { chosen.action = [options](Context& context) { return run_recover(context, *options); }; });
}

}  // namespace vmpatch::cli
