#include <CLI/CLI.hpp>

#include "cli/common/machine_options.hpp"
#include "cli/common/output.hpp"
#include "cli/common/plan_text.hpp"
#include "cli/common/progress.hpp"
#include "cli/verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/engine/attestation_keys.hpp"
#include "vmpatch/fleet/engine_setup.hpp"

namespace vmpatch::cli {
namespace {

struct RollbackOptions {
  std::string run;
  fleet::MachineOptions machines;
  bool accept_loss = false;
};

Result<ledger::Run> find_run(engine::Environment& environment, const std::string& run_id) {
  ledger::RunFilter filter;
  filter.run_id = run_id;
  VMPATCH_TRY(auto runs, environment.store.runs(filter));
  if (runs.empty()) return fail(Errc::not_found, "no run {} in the ledger; 'vm-patch history' lists them", run_id);
  return std::move(runs.front());
}

Result<std::vector<fs::path>> images_of(engine::Environment& environment, const std::string& run_id) {
  VMPATCH_TRY(const auto run, find_run(environment, run_id));
  std::vector<fs::path> images;
  for (const auto& disk : run.detail.value("disks", Json::array())) images.emplace_back(disk.value("path", ""));
  return images;
}

/// The run names its machine; a libvirt one is looked up by UUID, a bare image by its recorded path.
Result<fleet::MachineOptions> machine_of(engine::Environment& environment, const std::string& run_id) {
  VMPATCH_TRY(const auto run, find_run(environment, run_id));
  fleet::MachineOptions options;
  if (run.host != "file") {
    options.domains = {run.machine_uuid};
    return options;
  }
  const auto disks = run.detail.value("disks", Json::array());
  if (disks.empty()) return fail(Errc::refused, "run {} recorded no disk", run_id);
  options.images = {disks[0].value("path", "")};
  options.format = disks[0].value("format", "");
  return options;
}

Result<int> run_rollback(Context& context, const RollbackOptions& options) {
  ProgressDisplay display(context);
  VMPATCH_TRY(auto setup, fleet::EngineSetup::make(context, display, display));
  if (options.machines.without_libvirt) {
    VMPATCH_TRY(const auto images, images_of(setup->environment(), options.run));
    setup->answer_for(images);
  }
  VMPATCH_CHECK(engine::check_attestation_key(setup->environment().run_places));
  VMPATCH_CHECK(fleet::recover_first(*setup, display));
  VMPATCH_TRY(auto selection, machine_of(setup->environment(), options.run));
  selection.allow_backing = options.machines.allow_backing;
  selection.not_clones = options.machines.not_clones;
  selection.without_libvirt = options.machines.without_libvirt;
  VMPATCH_TRY(const auto machines, setup->select(context, selection));
  VMPATCH_TRY(const auto report, engine::rollback(setup->environment(), options.run, machines.front(), {options.accept_loss}));
  display.finish(machines.front(), "rolled back");
  if (context.options.json) {
    print_json(engine::to_json(report));
  } else if (!report.published.empty()) {
    print_text(fmt::format("run {} took back what run {} had published\n{}{}  undo with: vm-patch rollback {}\n", report.run_id, options.run, format_published(report),
                           format_dropped(report.dropped), report.run_id));
  } else {
    print_text(fmt::format("run {} put back what run {} had overwritten ({})\n{}  undo with: vm-patch rollback {}\n", report.run_id, options.run,
                           format_size(report.changed_bytes), format_dropped(report.dropped), report.run_id));
  }
  return 0;
}

}  // namespace

void add_rollback_verb(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("rollback", "Put back what a run has overwritten");
  auto options = std::make_shared<RollbackOptions>();
  verb->add_option("RUN", options->run, "id of the run, from 'vm-patch history'")->required();
  verb->add_option("--allow-backing", options->machines.allow_backing, "folder in which backing files may lie")->type_name("DIR");
  verb->add_flag("--accept-loss", options->accept_loss, "go on although the machine wrote over it since: that is lost");
  add_not_a_clone(*verb, options->machines.not_clones);
  add_without_libvirt(*verb, options->machines);
  verb->footer("Later runs on the same disks are rolled back first. A rollback can be rolled back itself. Refused, with how much it is, when the "
               "machine wrote over the run's blocks since.\n\nExample: vm-patch rollback 3f1c…");
  verb->callback([options, &chosen] {
    chosen.action = [options](Context& context) { return run_rollback(context, *options); };
  });
}

}  // namespace vmpatch::cli
