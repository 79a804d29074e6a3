#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "cli/common/output.hpp"
#include "cli/common/plan_text.hpp"
#include "cli/common/progress.hpp"
#include "cli/template/template_verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/engine/attestation_keys.hpp"
#include "vmpatch/fleet/templates.hpp"

namespace vmpatch::cli {
namespace {

Result<void> ask(const inventory::Machine& machine, std::string_view what) {
  if (::isatty(STDIN_FILENO) != 1) return fail(Errc::usage, "this changes a definition: say --yes, or answer on a terminal");
  std::fprintf(stderr, "Give %s its %.*s version? [y/N] ", escape_untrusted(machine.name).c_str(), static_cast<int>(what.size()), what.data());
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "yes") return {};
  return fail(Errc::refused, "not confirmed; nothing was changed");
}

Result<int> change_version(Context& context, const TemplateOptions& options, bool older) {
  ProgressDisplay display(context);
  VMPATCH_TRY(auto setup, fleet::EngineSetup::make(context, display, display));
  VMPATCH_CHECK(engine::check_attestation_key(setup->environment().run_places));
  VMPATCH_CHECK(fleet::recover_first(*setup, display));
  if (options.machines.domains.size() != 1) return fail(Errc::usage, "name one template with -d");
  VMPATCH_TRY(const auto machines, setup->select(context, options.machines));
  const auto& machine = machines.front();
  VMPATCH_TRY(const auto run, fleet::run_to_roll_back(*setup, machine, older));
  if (!options.yes) VMPATCH_CHECK(ask(machine, older ? "older" : "newer"));
  VMPATCH_TRY(const auto report, engine::rollback(setup->environment(), run, machine, {}));
  display.finish(machine, older ? "demoted" : "promoted");
  if (context.options.json) {
    print_json(engine::to_json(report));
  } else {
    print_text(fmt::format("{}: run {}\n{}{}", escape_untrusted(machine.name), report.run_id, format_published(report), format_dropped(report.dropped)));
  }
  return 0;
}

struct Pruned {
  const fleet::Template* of;
  const fleet::TemplateVersion* version;
  fs::path path;
  Result<std::uint64_t> done;
};

Result<std::uint64_t> prune(fleet::EngineSetup& setup, const fleet::Template& one, const fleet::TemplateVersion& version, const std::string& target,
                            const fs::path& path, bool really) {
  const auto id = version.ids.find(target);
  if (id == version.ids.end() || id->second.empty()) return fail(Errc::refused, "{}: the ledger does not say which file it is", escape_untrusted(path.string()));
  std::error_code error;
  if (!really) return fs::file_size(path, error);
  return engine::prune_version(setup.environment(), one.machine, path, version.formats.at(target), id->second);
}

Json pruned_json(const std::vector<Pruned>& all, bool really) {
  Json files = Json::array();
  for (const auto& one : all) {
    Json entry{{"machine", machine_json(one.of->machine)}, {"version", one.version->number}, {"path", one.path.string()}};
    entry["removed"] = really && one.done;
    if (one.done) entry["bytes"] = *one.done;
    if (!one.done) entry["error"] = {{"code", to_string(one.done.error().code)}, {"message", one.done.error().message}};
    files.push_back(std::move(entry));
  }
  return {{"schema", "vm-patch/prune/v1"}, {"files", std::move(files)}};
}

}  // namespace

Result<int> demote_template(Context& context, const TemplateOptions& options) { return change_version(context, options, true); }

Result<int> promote_template(Context& context, const TemplateOptions& options) { return change_version(context, options, false); }

Result<int> prune_templates(Context& context, const TemplateOptions& options) {
  ProgressDisplay display(context);
  VMPATCH_TRY(auto setup, fleet::EngineSetup::make(context, display, display));
  if (options.yes) VMPATCH_CHECK(fleet::recover_first(*setup, display));
  auto machines = options.machines;
  machines.all = machines.domains.empty();
  VMPATCH_TRY(const auto selected, setup->select(context, machines));
  VMPATCH_TRY(const auto templates, fleet::find_templates(*setup, selected));
  std::vector<Pruned> all;
  for (const auto& one : templates) {
    for (const auto* version : fleet::prunable(one, options.keep)) {
      for (const auto& [target, id] : version->ids) {
        const auto& path = version->files.at(target);
        std::error_code error;
        if (fs::exists(path, error)) all.push_back({&one, version, path, prune(*setup, one, *version, target, path, options.yes)});
      }
    }
  }
  int code = setup->selection().is_whole() ? 0 : 1;
  for (const auto& one : all) {
    if (!one.done) code = exit_code(one.done.error().code);
  }
  if (context.options.json) {
    print_json(pruned_json(all, options.yes));
    return code;
  }
  if (all.empty()) print_text("Nothing to remove.\n");
  for (const auto& one : all) {
    const auto what = fmt::format("{} version {}: {}", escape_untrusted(one.of->machine.name), one.version->number, escape_untrusted(one.path.string()));
    print_text(one.done ? fmt::format("{}{} ({})\n", options.yes ? "removed " : "would remove ", what, format_size(*one.done))
                        : fmt::format("{}: not removed: {}\n", what, one.done.error().message));
  }
  if (!all.empty() && !options.yes) print_text("Say --yes to remove them.\n");
  return code;
}

}  // namespace vmpatch::cli
