#include <CLI/CLI.hpp>

#include "cli/common/machine_options.hpp"
#include "cli/common/output.hpp"
#include "cli/common/plan_text.hpp"
#include "cli/inspect/facts_text.hpp"
#include "cli/inspect/sbom_output.hpp"
#include "cli/verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fleet/facts.hpp"

namespace vmpatch::cli {
namespace {

struct InspectOptions {
  fleet::MachineOptions machines;
  fleet::FleetOptions fleet;
  bool packages = false;
  std::string sbom;
  fs::path output;
};

/// Gets the machines one by one, so that a fleet's facts need not be in memory at the same time.
class Answers {
 public:
  virtual ~Answers() = default;
  virtual void begin() {}
  virtual Result<void> add(const fleet::MachineFacts& machine, const guest::Facts& facts) = 0;
  virtual void add_failure(const inventory::Machine&, const Error&) {}
  virtual void end() {}
};

class TextAnswers final : public Answers {
 public:
  explicit TextAnswers(FactsView view) : view_(view) {}
  Result<void> add(const fleet::MachineFacts& machine, const guest::Facts& facts) override {
    print_text(format_facts(machine, facts, view_));
    return {};
  }

 private:
  FactsView view_;
};

class JsonAnswers final : public Answers {
 public:
  void begin() override { print_text("{\n  \"schema\": \"vm-patch/inspect/v1\",\n  \"machines\": ["); }
  Result<void> add(const fleet::MachineFacts& machine, const guest::Facts& facts) override {
    print({{"machine", machine_json(machine.machine)}, {"read", format_time(machine.read)}, {"cached", machine.cached},
           {"facts", guest::to_json(facts)}});
    return {};
  }
  void add_failure(const inventory::Machine& machine, const Error& error) override { print(failure_json(machine, error)); }
  void end() override { print_text(first_ ? "]\n}\n" : "\n  ]\n}\n"); }

 private:
  void print(const Json& entry) {
    std::string text = first_ ? "\n    " : ",\n    ";
    first_ = false;
    for (const char c : dump_json(entry, 2)) {
      text += c;
      if (c == '\n') text += "    ";  // newlines of values are escaped
    }
    print_text(text);
  }
  bool first_ = true;
};

class SbomAnswers final : public Answers {
 public:
  explicit SbomAnswers(SbomOutput output) : output_(std::move(output)) {}
  Result<void> add(const fleet::MachineFacts& machine, const guest::Facts& facts) override { return output_.write(machine, facts); }

 private:
  SbomOutput output_;
};

Result<std::unique_ptr<Answers>> make_answers(const Context& context, const InspectOptions& options, std::size_t machines) {
  if (!options.sbom.empty()) {
    VMPATCH_TRY(const auto format, report::parse_sbom_format(options.sbom));
    VMPATCH_TRY(auto output, SbomOutput::open(format, options.output, machines));
    return std::unique_ptr<Answers>(std::make_unique<SbomAnswers>(std::move(output)));
  }
  if (context.options.json) return std::unique_ptr<Answers>(std::make_unique<JsonAnswers>());
  return std::unique_ptr<Answers>(std::make_unique<TextAnswers>(FactsView{options.packages, context.options.verbose > 0}));
}

Result<int> run_inspect(Context& context, const InspectOptions& options) {
  if (context.options.json && !options.sbom.empty()) {
    return fail(Errc::usage, "--json and --sbom are two forms of the answer; choose one");
  }
  reading::NullObserver observer;
  VMPATCH_TRY(auto setup, fleet::ReadSetup::make(context, observer, context.log));
  VMPATCH_TRY(const auto machines, setup->select(context, options.machines));
  VMPATCH_TRY(const auto answers, make_answers(context, options, machines.size()));
  std::optional<Error> failure;  // of one machine; the others are shown all the same
  answers->begin();
  fleet::read_fleet(*setup, machines, options.fleet, [&](const fleet::MachineFacts& machine) {
    if (machine.facts) {
      const auto added = answers->add(machine, *machine.facts);
      if (added) return;
      failure = failure ? failure : added.error();
      context.log.error("{}", added.error().message);
      return;
    }
    const Error& error = machine.facts.error();
    failure = failure ? failure : error;
    context.log.error("{}", error.message);
    answers->add_failure(machine.machine, error);
  });
  answers->end();
  if (failure) return exit_code(failure->code);
  return setup->selection().is_whole() ? 0 : 1;
}

}  // namespace

void add_inspect_verb(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("inspect", "Show what is on machines: system, packages, kernels, boot entry, mounts, identity");
  auto options = std::make_shared<InspectOptions>();
  add_machine_options(*verb, options->machines);
  add_snapshot_option(*verb, options->machines);
  verb->add_flag("--packages", options->packages, "list every package");
  verb->add_flag("--fresh", options->fleet.fresh, "read the disks again, also where they did not change");
  auto* sbom = verb->add_option("--sbom", options->sbom, "bill of materials: cyclonedx (1.5) or spdx (2.3), as JSON")->type_name("FORMAT");
  verb->add_option("-o,--output", options->output, "file for it, or a folder (one file a machine); default: standard output")
      ->type_name("PATH")
      ->needs(sbom);
  verb->footer("Reads only; with -v it says by which path, and when. JSON (--json) always has everything. A machine that cannot be\n"
               "read does not stop the others. Exit code 1 when some machine, host or folder could not be read.\n"
               "Examples: vm-patch inspect -a web.qcow2 --format qcow2 --json\n"
               "          vm-patch inspect -d web01 --sbom cyclonedx -o web01.cdx.json");
  verb->callback([options, &chosen] {
    chosen.action = [options](Context& context) { return run_inspect(context, *options); };
  });
}

}  // namespace vmpatch::cli
