#include "cli/common/engine_setup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/plan_text.hpp"
#include "cli/verbs.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

struct InspectOptions {
  MachineOptions machines;
  bool packages = false;
};

std::string join_kernels(const guest::Facts& facts) {
  std::vector<std::string> names;
  for (const auto& kernel : facts.kernels) names.push_back(escape_untrusted(kernel.version));
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

void print(const inventory::Machine& machine, const guest::Facts& facts, const InspectOptions& options, bool verbose) {
  const auto line = [](std::string_view title, std::string_view text) { print_text(fmt::format("  {:<13} {}\n", title, text)); };
  print_text(fmt::format("{}\n", escape_untrusted(machine.name)));
  line("system", fmt::format("{} ({} {})", escape_untrusted(facts.os.pretty_name), escape_untrusted(facts.os.id),
                             escape_untrusted(facts.os.version_id)));
  line("architecture", escape_untrusted(facts.arch));
  line("packages", fmt::format("{} ({})", facts.packages.size(), facts.package_manager.empty() ? "unknown" : facts.package_manager));
  line("kernels", join_kernels(facts));
  line("init", facts.init.empty() ? "unknown" : facts.init);
  line("machine-id", guest::to_string(facts.identity.machine_id));
  if (facts.hibernated) line("hibernated", "yes: its disks must not be written");
  for (const auto& package : facts.half_configured) line("half-done", escape_untrusted(package));
  if (verbose) line("read by", facts.access);
  if (!options.packages) return;
  for (const auto& package : facts.packages) {
    print_text(fmt::format("  {} {} {} ({})\n", escape_untrusted(package.name), escape_untrusted(package.version),
                           escape_untrusted(package.arch), escape_untrusted(package.status)));
  }
}

Json facts_json(const inventory::Machine& machine, const guest::Facts& facts) {
  return {{"machine", machine_json(machine)}, {"facts", guest::to_json(facts)}};
}

Result<int> run_inspect(Context& context, const InspectOptions& options) {
  engine::NullObserver observer;
  VMPATCH_TRY(auto setup, ReadSetup::make(context, observer, context.log));
  VMPATCH_TRY(const auto machines, setup->select(context, options.machines));
  Json entries = Json::array();
  for (const auto& machine : machines) {
    VMPATCH_TRY(const auto inspection, engine::inspect(setup->reading(), machine, false));
    const guest::Facts& facts = inspection.facts;
    if (context.options.json) {
      entries.push_back(facts_json(machine, facts));
    } else {
      print(machine, facts, options, context.options.verbose > 0);
    }
  }
  if (context.options.json) print_json({{"schema", "vm-patch/inspect/v1"}, {"machines", entries}});
  return 0;
}

}  // namespace

void add_inspect_verb(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("inspect", "Show what is on a machine: system, packages, kernels, identity");
  auto options = std::make_shared<InspectOptions>();
  add_machine_options(*verb, options->machines);
  verb->add_flag("--packages", options->packages, "list every package");
  verb->footer("Reads only; with -v it says by which path. JSON (--json) always has everything.\n"
               "Example: vm-patch inspect -a web.qcow2 --format qcow2 --json");
  verb->callback([options, &chosen] {
    chosen.action = [options](Context& context) { return run_inspect(context, *options); };
  });
}

}  // namespace vmpatch::cli
