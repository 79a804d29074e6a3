#include <CLI/CLI.hpp>

#include "cli/common/machine_options.hpp"
#include "cli/common/output.hpp"
#include "cli/common/progress.hpp"
#include "cli/refresh/refresh_text.hpp"
#include "cli/verbs.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::cli {
namespace {

struct RefreshVerbOptions {
  fleet::MachineOptions machines;
  std::string mode;
  std::string until;
  fleet::RefreshOptions refresh;
  bool yes = false;
  std::optional<policy::BootProof> boot_proof;
};

Result<void> read_options(RefreshVerbOptions& options) {
  if (!options.mode.empty()) options.refresh.rules.mode = options.mode == "all" ? repository::Mode::all : repository::Mode::security;
  options.refresh.pass_over = options.machines.domains.empty() && options.machines.images.empty();
  if (!options.until.empty()) {
    VMPATCH_TRY(options.refresh.until, parse_time(options.until));
  }
  if (options.yes || options.refresh.dry_run) return {};
  return make_error(Errc::usage, "refresh writes disks: say --yes, or --dry-run to see what it would do");
}

Result<int> run_refresh(Context& context, RefreshVerbOptions& options) {
  VMPATCH_CHECK(read_options(options));
  std::vector<fleet::Refreshed> all;
  bool is_whole = false;
  {
    ProgressDisplay display(context);
    VMPATCH_TRY(auto setup, fleet::EngineSetup::make(context, display, display));
    if (options.machines.without_libvirt) setup->answer_for(options.machines.images);
    setup->set_boot_proof(options.boot_proof);
    if (!options.refresh.dry_run) VMPATCH_CHECK(fleet::recover_first(*setup, display));
    VMPATCH_TRY(const auto machines, setup->select(context, options.machines));
    is_whole = setup->selection().is_whole();
    VMPATCH_TRY(all, fleet::refresh(context, *setup, machines, options.refresh, display,
                                    [&](const fleet::Refreshed& one) { display.finish(one.machine, last_word(one)); }));
    if (!options.refresh.dry_run) {
      VMPATCH_TRY(const auto expired, engine::expire_undo(setup->environment(), context.clock.now() - setup->policy().undo_keep));
      if (expired > 0) display.debug("{} undo images have expired", expired);
    }
  }
  if (context.options.json) {
    print_json(refresh_json(all));
  } else {
    print_text(format_refreshed(all));
  }
  const int code = fleet::exit_code_of(all);
  return code == 0 && !is_whole ? 1 : code;
}

}  // namespace

void add_refresh_verb(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("refresh", "Bring dormant machines to what the configured package repositories offer");
  auto options = std::make_shared<RefreshVerbOptions>();
  add_machine_options(*verb, options->machines);
  verb->add_option("--mode", options->mode, "security: security updates and what they need; all: a full upgrade [the mode of the machine's group, security]")
      ->check(CLI::IsMember({"security", "all"}))->type_name("MODE");
  verb->add_option("--exclude", options->refresh.rules.exclude, "packages that stay as they are, by name or pattern, beside those of the group; repeatable")
      ->type_name("PATTERN")->allow_extra_args(false);
  verb->add_flag("--dry-run", options->refresh.dry_run, "only say what would be updated; servers are asked all the same");
  verb->add_flag("--offline", options->refresh.offline, "ask no server for lists: use what was fetched last, as long as it is valid");
  verb->add_flag("--fresh", options->refresh.fresh, "read the machines again, although their disks did not change");
  verb->add_option("--jobs", options->refresh.jobs, "machines side by side; default: the configuration's")->check(CLI::Range(1, 64))->type_name("N");
  verb->add_option("--until", options->until, "begin no machine at or after this time (UTC, as 2026-11-01T05:00:00Z)")->type_name("TIME");
  add_boot_proof(*verb, options->boot_proof);
  verb->add_flag("-y,--yes", options->yes, "write disks");
  verb->footer("Each update becomes a recipe that this host's key of the role refresher signs; then everything is as with apply: overlay, proof,\n"
               "commit, attestation, undo. Exit code 0 only when every dormant machine is current; 3 when a dry run found something, or updates are kept back.\n"
               "Example: vm-patch refresh --all --mode security --yes");
  verb->callback([options, &chosen] {
    chosen.action = [options](Context& context) { return run_refresh(context, *options); };
  });
}

}  // namespace vmpatch::cli
