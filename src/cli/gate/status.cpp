#include <unistd.h>

#include <algorithm>

#include "cli/common/output.hpp"
#include "cli/gate/daemon.hpp"
#include "cli/gate/gate_verbs.hpp"
#include "cli/gate/hook_file.hpp"
#include "cli/gate/proof.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/ledger/gate_view.hpp"
#include "vmpatch/ledger/integrity.hpp"
#include "vmpatch/ledger/store.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::cli {
namespace {

constexpr std::int64_t shown_decisions = 5;

struct Check {
  std::string what;
  bool fine = false;
  std::string text;
};

Check check_hook(const Context& context, const fs::path& hooks_dir) {
  const fs::path path = hook_path(hooks_dir);
  const HookState hook = look_at_hook(hooks_dir);
  if (!hook.installed) return {"hook", false, fmt::format("{} is missing; run 'vm-patch gate install'", path.string())};
  if (!hook.ours) return {"hook", false, fmt::format("{} is not ours", path.string())};
  if (!hook.executable) return {"hook", false, fmt::format("{} is not executable; run 'vm-patch gate install'", path.string())};
  const std::string state = " --state-dir " + shell_quoted(fs::absolute(context.paths.state).string()) + " ";
  if (hook.content.find(state) == std::string::npos) {
    return {"hook", false, fmt::format("{} uses another state folder; run 'vm-patch gate install'", path.string())};
  }
  const auto program = called_program(hook.content, fs::absolute(context.paths.state));
  if (!program) {
    return {"hook", false, fmt::format("{} has another form than this vm-patch writes, and may end running machines; run 'vm-patch gate "
                                       "install'", path.string())};
  }
  if (::access(program->c_str(), X_OK) != 0) {
    return {"hook", false, fmt::format("{} calls {}, which is no program: every start is denied; run 'vm-patch gate install'", path.string(),
                                       program->string())};
  }
  return {"hook", true, path.string()};
}

Check check_policy(const Context& context) {
  const auto facts = ledger::read_gate_facts(context.paths.ledger(), "", {}, context.clock.now());
  if (!facts && facts.error().code == Errc::not_found) return {"policy", false, "there is no ledger; run 'vm-patch gate install'"};
  if (!facts) return {"policy", false, facts.error().message};
  if (facts->policy.is_null()) return {"policy", false, "never published, so nothing is required; run 'vm-patch gate publish'"};
  const auto policy = policy::load_policy(context.paths.config);
  if (!policy) return {"policy", false, policy.error().message};
  const std::string file = context.paths.config.empty() ? "the defaults" : context.paths.config.string();
  if (policy::gate_policy_json(*policy) != facts->policy) {
    return {"policy", false, fmt::format("what was published differs from {}; run 'vm-patch gate publish'", file)};
  }
  return {"policy", true, fmt::format("{} group(s), as in {}", policy->groups.size(), file)};
}

/// Every start reads it.
Check check_anchor(const Context& context) {
  const ledger::Anchor anchor(context.paths.state);
  std::string text;
  for (const std::string& said : ledger::tend_anchor(context.paths.state)) text += (text.empty() ? "" : "; ") + said;
  return {"anchor", text.empty(), text.empty() ? anchor.file().string() : text};
}

Check check_daemon(const Context& context, bool prove) {
  const auto pid = find_libvirt_daemon(gate_uri(context));
  if (!pid) return {"daemon", false, pid.error().message};
  if (!prove) return {"daemon", true, fmt::format("process {}; not tried whether it calls the hook", *pid)};
  const auto proof = prove_denial(context, gate_uri(context));
  if (!proof) return {"daemon", false, proof.error().message};
  return {"daemon", true, fmt::format("process {} calls the hook: a start was denied", *pid)};
}

Result<std::vector<ledger::AuditRow>> last_decisions(const Context& context) {
  const auto store = ledger::CustodyStore::open(context.paths.custody(), {.create = false});
  if (!store && store.error().code == Errc::not_found) return std::vector<ledger::AuditRow>();
  if (!store) return store.error();
  VMPATCH_TRY(const std::int64_t count, (*store)->verify());
  return (*store)->records(std::max<std::int64_t>(1, count - shown_decisions + 1), static_cast<std::size_t>(shown_decisions));
}

Json decision_json(const ledger::AuditRow& row) {
  return {{"time", format_time(row.time)}, {"action", row.action}, {"machine", row.subject}, {"data", row.data}};
}

std::string text_of(const Json& data, const char* key) {
  const auto found = data.is_object() ? data.find(key) : data.end();
  return found != data.end() && found->is_string() ? escape_untrusted(found->get<std::string>()) : "";
}

void print_for_people(const std::vector<Check>& checks, const std::vector<ledger::AuditRow>& decisions) {
  Table table({"CHECK", "", ""});
  for (const Check& check : checks) table.add_row({check.what, check.fine ? "ok" : "NOT OK", check.text});
  print_text(table.format());
  if (decisions.empty()) return;
  Table last({"TIME", "MACHINE", "OPERATION", "DECISION", "RULE"});
  for (const ledger::AuditRow& row : decisions) {
    const bool of_gate = row.action.starts_with("gate.");  // others are of the records themselves
    last.add_row({format_time(row.time), text_of(row.data, "name"), text_of(row.data, "operation"), of_gate ? row.action.substr(5) : row.action,
                  text_of(row.data, "rule")});
  }
  print_text("\n" + last.format());
}

}  // namespace

Result<int> show_gate_status(Context& context, const InstallOptions& options) {
  std::vector<Check> checks{check_hook(context, options.hooks_dir), check_policy(context), check_anchor(context)};
  checks.push_back(check_daemon(context, options.proof && checks.front().fine));
  auto decisions = last_decisions(context);
  if (!decisions) checks.push_back({"records", false, decisions.error().message});
  const std::vector<ledger::AuditRow> rows = decisions ? *decisions : std::vector<ledger::AuditRow>();
  const bool fine = std::ranges::all_of(checks, &Check::fine);
  if (context.options.json) {
    Json json{{"schema", "vm-patch/gate-status/v1"}, {"ok", fine}, {"checks", Json::array()}, {"decisions", Json::array()}};
    for (const Check& check : checks) json["checks"].push_back({{"check", check.what}, {"ok", check.fine}, {"text", check.text}});
    for (const ledger::AuditRow& row : rows) json["decisions"].push_back(decision_json(row));
    print_json(json);
  } else {
    print_for_people(checks, rows);
  }
  return fine ? 0 : 3;
}

}  // namespace vmpatch::cli
