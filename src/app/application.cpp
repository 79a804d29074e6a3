#include "app/application.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "app/paths.hpp"
#include "cli/common/output.hpp"
#include "cli/verbs.hpp"
#include "vmpatch/core/interruption.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/side_by_side.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::app {
namespace {

constexpr const char* about =
    "Patches virtual machines that are not running, and keeps unpatched ones from running.\n\n"
    "Exit codes: 0 done; 1 failed; 2 usage; 3 findings (changes pending, not compliant); 4 refused by policy or state; "
    "5 not trusted; 6 busy; 7 recovery needed.";

const std::map<std::string, cli::ColorMode> color_modes = {
    {"auto", cli::ColorMode::automatic}, {"always", cli::ColorMode::always}, {"never", cli::ColorMode::never}};

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
  app.add_option_function<std::string>("--color", [&options](const std::string& word) { options.color = color_modes.at(word); },
                                       "colour of messages [auto: on a terminal, without NO_COLOR]")
      ->check(CLI::IsMember(color_modes))->type_name("WHEN")->group(group);
}

void add_verbs(CLI::App& app, cli::Chosen& chosen) {
  cli::add_inventory_verb(app, chosen);
  cli::add_inspect_verb(app, chosen);
  cli::add_scan_verb(app, chosen);
  cli::add_plan_verb(app, chosen);
  cli::add_apply_verb(app, chosen);
  cli::add_refresh_verb(app, chosen);
  cli::add_verify_verb(app, chosen);
  cli::add_rollback_verb(app, chosen);
  cli::add_recover_verb(app, chosen);
  cli::add_status_verb(app, chosen);
  cli::add_history_verb(app, chosen);
  cli::add_gate_verbs(app, chosen);
  cli::add_recipe_verbs(app, chosen);
  cli::add_repository_verbs(app, chosen);
  cli::add_key_verbs(app, chosen);
  cli::add_template_verbs(app, chosen);
  cli::add_audit_verbs(app, chosen);
  cli::add_doctor_verb(app, chosen);
}

int report_error(const Error& error, bool json) {
  std::fprintf(stderr, "vm-patch: error: %s\n", error.message.c_str());
  if (json) {
    const Json body{{"schema", "vm-patch/error/v1"}, {"error", {{"code", to_string(error.code)}, {"message", error.message}}}};
    cli::print_json(body);
  }
  return exit_code(error.code);
}

Level threshold(const cli::GlobalOptions& options) {
  if (options.quiet) return Level::error;
  return options.verbose > 0 ? Level::debug : Level::info;
}

int run_verb(const cli::GlobalOptions& options, const cli::Chosen& chosen) {
  auto resolved = resolve_paths(options);
  if (!resolved) return report_error(resolved.error(), options.json);
  const SystemClock clock;
  StderrLog log(threshold(options));
  cli::Context context{{std::move(resolved->paths), std::move(resolved->connect), clock, log}, options};
  const auto result = attempt("an exception ended this", [&] { return chosen.action(context); });
  return result ? *result : report_error(result.error(), options.json);
}

/// --help and --version.
int print_help(const CLI::App& app, const CLI::ParseError& error) {
  std::ostringstream text;
  const int code = app.exit(error, text, text);
  cli::print_text(text.str());
  return code;
}

/// Nothing when something else is missing.
std::optional<std::string> explain_missing_verb(CLI::App& app) {
  CLI::App* last = &app;
  while (!last->get_subcommands().empty()) last = last->get_subcommands().front();
  if (last->get_require_subcommand_min() == 0) return std::nullopt;
  const std::string program = last == &app ? "vm-patch" : "vm-patch " + last->get_name();
  for (const std::string& word : app.remaining(true)) {
    if (!word.starts_with("-")) return fmt::format("'{}' is no verb of {}", escape_untrusted(word), program);
  }
  return fmt::format("{} needs a verb", program);
}

int usage_error(CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return print_help(app, error);
  std::string message = error.what();
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) message = explain_missing_verb(app).value_or(message);
  std::fprintf(stderr, "vm-patch: error: %s\nTry 'vm-patch --help' or 'vm-patch VERB --help'.\n", message.c_str());
  return exit_code(Errc::usage);
}

/// A closed standard stream would be the first file that is opened: a result could end in a ledger. What stands in for the standard
/// output takes no text, so that a result that nobody gets is a failure.
void hold_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number is this one.
    if (stream == STDOUT_FILENO) {
      ::open("/", O_PATH | O_DIRECTORY);
    } else {
      ::open("/dev/null", O_RDWR);
    }
  }
}

/// A result that did not arrive is none, whatever it was.
int check_output(int code) {
  const int error = cli::output_error();
  if (error == 0) return code;
  // Who closed a pipe knows that.
  if (error != EPIPE) std::fprintf(stderr, "vm-patch: error: standard output: %s\n", std::strerror(error));
  constexpr int findings = 3;
  return code == 0 || code == findings ? exit_code(Errc::failed) : code;
}

int run_words(int argc, char** argv) {
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

}  // namespace

int run_application(int argc, char** argv) {
  // A daemon or a reader that goes away is an error of one call, not the end of everything that goes on. Children start with the default.
  std::signal(SIGPIPE, SIG_IGN);
  // A limit on the size of files, too: EFBIG.
  std::signal(SIGXFSZ, SIG_IGN);
  hold_standard_streams();
  const int code = check_output(run_words(argc, argv));
  end_by_noted_signal();
  return code;
}

}  // namespace vmpatch::app
