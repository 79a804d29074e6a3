#include "app/application.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "app/paths.hpp"
#include "cli/verbs.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::app {
namespace {

constexpr const char* about =
    "Patches virtual machines that are not running, and keeps unpatched ones from running.\n\n"
    "Exit codes: 0 done; 1 failed; 2 usage; 3 findings (changes pending, not compliant); 4 refused by policy or state; "
    "5 not trusted; 6 busy; 7 recovery needed.";

void add_global_options(CLI::App& app, cli::GlobalOptions& options) {
  const char* group = "Global options (before or after the verb)";
  app.add_option("--config", options.config, "configuration file [VM_PATCH_CONFIG, /etc/vm-patch/vm-patch.yaml]")
      ->type_name("FILE")->group(group);
  app.add_option("--state-dir", options.state_dir, "ledger, payloads, undo images [VM_PATCH_STATE_DIR, /var/lib/vm-patch]")
      ->type_name("DIR")->group(group);
  app.add_option("--trust-file", options.trust_file, "keys that may sign recipes [VM_PATCH_TRUST, /etc/vm-patch/trust.yaml; STATE/trust.yaml with an own --state-dir]")
      ->type_name("FILE")->group(group);
  app.add_option("-c,--connect", options.connect, "libvirt connection, repeatable [LIBVIRT_DEFAULT_URI, qemu:///system]")
      ->type_name("URI")->expected(1)->take_all()->group(group);
  app.add_flag("--json", options.json, "results as JSON on standard output")->group(group);
  app.add_flag("-q,--quiet", options.quiet, "errors only")->group(group);
  app.add_flag("-v,--verbose", options.verbose, "say more; twice for everything")->group(group);
  app.add_option("--color", options.color, "auto, always or never")
      ->transform(CLI::CheckedTransformer(std::map<std::string, cli::ColorMode>{{"auto", cli::ColorMode::automatic},
                                                                               {"always", cli::ColorMode::always},
                                                                               {"never", cli::ColorMode::never}}))
      ->type_name("WHEN")->group(group);
}

void add_verbs(CLI::App& app, cli::Chosen& chosen) {
  cli::add_inventory_verb(app, chosen);
  cli::add_inspect_verb(app, chosen);
  cli::add_scan_verb(app, chosen);
  cli::add_plan_verb(app, chosen);
  cli::add_apply_verb(app, chosen);
  cli::add_verify_verb(app, chosen);
  cli::add_rollback_verb(app, chosen);
  cli::add_recover_verb(app, chosen);
  cli::add_status_verb(app, chosen);
  cli::add_history_verb(app, chosen);
  cli::add_gate_verbs(app, chosen);
  cli::add_recipe_verbs(app, chosen);
  cli::add_key_verbs(app, chosen);
  cli::add_audit_verbs(app, chosen);
  cli::add_doctor_verb(app, chosen);
}

int report_error(const Error& error, bool json) {
  std::fprintf(stderr, "vm-patch: error: %s\n", error.message.c_str());
  if (json) {
    const Json body{{"schema", "vm-patch/error/v1"}, {"error", {{"code", to_string(error.code)}, {"message", error.message}}}};
    std::printf("%s\n", dump_json(body, 2).c_str());
  }
  return exit_code(error.code);
}

Level threshold(const cli::GlobalOptions& options) {
  if (options.quiet) return Level::error;
  return options.verbose > 0 ? Level::debug : Level::info;
}

int run_verb(cli::GlobalOptions& options, const cli::Chosen& chosen) {
  auto paths = resolve_paths(options);
  if (!paths) return report_error(paths.error(), options.json);
  const SystemClock clock;
  StderrLog log(threshold(options));
  cli::Context context{options, *paths, clock, log};
  const auto result = chosen.action(context);
  return result ? *result : report_error(result.error(), options.json);
}

int usage_error(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
  std::fprintf(stderr, "vm-patch: error: %s\nTry 'vm-patch --help' or 'vm-patch VERB --help'.\n", error.what());
  return exit_code(Errc::usage);
}

}  // namespace

int run_application(int argc, char** argv) {
  CLI::App app{about, "vm-patch"};
  cli::GlobalOptions options;
  cli::Chosen chosen;
  app.fallthrough();
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("vm-patch " VMPATCH_VERSION));
  add_global_options(app, options);
  add_verbs(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error);
  }
  if (!chosen.action) return report_error(make_error(Errc::usage, "no verb was chosen; see vm-patch --help"), options.json);
  return run_verb(options, chosen);
}

}  // namespace vmpatch::app
