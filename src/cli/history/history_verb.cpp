#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "cli/common/output.hpp"
#include "cli/verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/ledger/store.hpp"

namespace vmpatch::cli {
namespace {

constexpr std::size_t most_runs = 1'000'000;

struct HistoryOptions {
  std::vector<std::string> machines;
  std::size_t limit = 20;
};

bool is_wanted(const ledger::Run& run, const std::vector<std::string>& machines) {
  const auto names_it = [&](const std::string& name) { return name == run.machine_uuid || name == run.machine_name; };
  return machines.empty() || std::any_of(machines.begin(), machines.end(), names_it);
}

/// A list below detail.report of a run that got that far.
Json list_of(const ledger::Run& run, std::initializer_list<const char*> keys) {
  const Json* node = &run.detail;
  for (const char* key : keys) {
    if (!node->is_object()) return Json::array();
    const auto found = node->find(key);
    if (found == node->end()) return Json::array();
    node = &*found;
  }
  return node->is_array() ? *node : Json::array();
}

Json packages_of(const ledger::Run& run) { return list_of(run, {"report", "plan", "packages"}); }

std::string text_of(const Json& entry, const char* key) {
  const auto found = entry.is_object() ? entry.find(key) : entry.end();
  return found != entry.end() && found->is_string() ? escape_untrusted(found->get<std::string>()) : "";
}

/// One line a package: "openssl 3.0.15 → 3.0.17".
std::string changes_of(const ledger::Run& run) {
  std::string text;
  if (!ledger::is_final(run.state) || run.state == ledger::RunState::attested) {
    for (const Json& entry : packages_of(run)) {
      const std::string before = text_of(entry, "from");
      text += fmt::format("{}{} {} → {}", text.empty() ? "" : "\n", text_of(entry, "name"), before.empty() ? "(none)" : before,
                          text_of(entry, "to"));
    }
  }
  if (run.state == ledger::RunState::attested) {
    for (const Json& entry : list_of(run, {"report", "dropped"})) {
      text += fmt::format("{}no longer attested: {}", text.empty() ? "" : "\n", text_of(entry, "id"));
    }
  }
  if (!run.error.empty()) text += (text.empty() ? "" : "\n") + escape_untrusted(run.error);
  return text;
}

/// By run: kept (it can be rolled back), in_use, spent, expired.
using Undos = std::map<std::string, ledger::UndoState>;

Json run_json(const ledger::Run& run, const Undos& undos) {
  Json packages = Json::array();
  for (const Json& entry : packages_of(run)) {
    packages.push_back({{"name", entry.value("name", Json())}, {"from", entry.value("from", Json())}, {"to", entry.value("to", Json())}});
  }
  return {{"id", run.id},
          {"kind", run.kind},
          {"machine", {{"uuid", run.machine_uuid}, {"name", run.machine_name}, {"host", run.host}}},
          {"recipe", {{"id", run.recipe_id}, {"version", run.recipe_version}, {"digest", run.recipe_digest}}},
          {"state", ledger::to_string(run.state)},
          {"created", format_time(run.created)},
          {"updated", format_time(run.updated)},
          {"recovery_attempts", run.recovery_attempts},
          {"error", run.error},
          {"packages", std::move(packages)},
          {"undo", undos.contains(run.id) ? Json(ledger::to_string(undos.at(run.id))) : Json()},
          {"report", run.detail.is_object() ? run.detail.value("report", Json()) : Json()}};
}

Result<std::vector<ledger::Run>> load_runs(const Context& context, const HistoryOptions& options, Undos& undos) {
  std::vector<ledger::Run> wanted;
  const auto store = ledger::open_store(context.paths.ledger(), context.clock, {.create = false});
  if (!store && store.error().code == Errc::not_found) return wanted;
  if (!store) return store.error();
  ledger::RunFilter filter;
  filter.limit = options.machines.empty() ? options.limit : most_runs;
  VMPATCH_TRY(auto runs, (*store)->runs(filter));
  for (ledger::Run& run : runs) {
    if (wanted.size() < options.limit && is_wanted(run, options.machines)) wanted.push_back(std::move(run));
  }
  VMPATCH_TRY(const auto all, (*store)->undos({}));
  for (const auto& undo : all) undos[undo.run_id] = undo.state;
  return wanted;
}

Result<int> show_history(Context& context, const HistoryOptions& options) {
  Undos undos;
  VMPATCH_TRY(const auto runs, load_runs(context, options, undos));
  if (context.options.json) {
    Json json{{"schema", "vm-patch/history/v1"}, {"runs", Json::array()}};
    for (const ledger::Run& run : runs) json["runs"].push_back(run_json(run, undos));
    print_json(json);
    return 0;
  }
  Table table({"TIME", "MACHINE", "KIND", "RECIPE", "STATE", "UNDO", "RUN", "CHANGES"});
  for (const ledger::Run& run : runs) {
    table.add_row({format_time(run.created), escape_untrusted(run.machine_name), run.kind,
                   fmt::format("{} v{}", escape_untrusted(run.recipe_id), run.recipe_version), std::string(ledger::to_string(run.state)),
                   undos.contains(run.id) ? std::string(ledger::to_string(undos.at(run.id))) : "-", run.id, changes_of(run)});
  }
  print_text(table.empty() ? "No runs.\n" : table.format());
  return 0;
}

}  // namespace

void add_history_verb(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<HistoryOptions>();
  auto* verb = app.add_subcommand("history", "List runs, newest first, with versions before and after");
  verb->add_option("-d,--domain", options->machines, "only this machine; repeatable")->type_name("NAME|UUID")->allow_extra_args(false);
  verb->add_option("--limit", options->limit, "number of runs [20]")->type_name("N")->check(CLI::Range(1, 1'000'000));
  verb->footer("Example:\n  vm-patch history -d web01 --json");
  verb->callback([&chosen, options] {
    chosen.action = [options](Context& context) { return show_history(context, *options); };
  });
}

}  // namespace vmpatch::cli
