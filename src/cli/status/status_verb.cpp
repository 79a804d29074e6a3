#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "cli/common/output.hpp"
#include "cli/verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fleet/hosts.hpp"
#include "vmpatch/fleet/machine_status.hpp"
#include "vmpatch/ledger/store.hpp"

namespace vmpatch::cli {
namespace {

struct StatusOptions {
  std::vector<std::string> machines;
};

/// One machine, known to a host, to the ledger or to both.
struct Row {
  std::string uuid, name;
  std::optional<inventory::Machine> machine;
  std::optional<ledger::Attestation> attestation;
  std::optional<ledger::Run> unfinished;
  std::optional<gate::Verdict> verdict;
};
using Rows = std::map<std::string, Row>;

Row& row_of(Rows& rows, const std::string& uuid, const std::string& name) {
  Row& row = rows[uuid];
  row.uuid = uuid;
  if (row.name.empty()) row.name = name;
  return row;
}

Result<void> add_ledger(const Context& context, Rows& rows) {
  const auto store = ledger::open_store(context.paths.ledger(), context.clock, {.create = false});
  if (!store && store.error().code == Errc::not_found) return {};
  if (!store) return store.error();
  VMPATCH_TRY(auto attestations, (*store)->attestations());
  for (ledger::Attestation& attestation : attestations) {
    Row& row = row_of(rows, attestation.machine_uuid, attestation.machine_name);
    row.attestation = std::move(attestation);
  }
  ledger::RunFilter filter;
  filter.unfinished_only = true;
  VMPATCH_TRY(auto runs, (*store)->runs(filter));
  for (ledger::Run& run : runs) {
    Row& row = row_of(rows, run.machine_uuid, run.machine_name);
    if (!row.unfinished) row.unfinished = std::move(run);
  }
  return {};
}

/// False when a host did not answer.
Result<bool> add_hosts(Context& context, Rows& rows) {
  VMPATCH_TRY(auto hosts, fleet::Hosts::make(context, {}));
  hosts.add_libvirt();
  const auto verdicts = fleet::Verdicts::make(context);
  inventory::Inventory inventory = hosts.load();
  for (inventory::HostInventory& host : inventory.hosts) {
    if (!host.problem.empty()) context.log.warn("{}: not reachable: {}", escape_untrusted(host.host), host.problem);
    for (inventory::Machine& machine : host.machines) {
      Row& row = row_of(rows, machine.uuid, machine.name);
      row.name = machine.name;
      auto verdict = verdicts ? verdicts->of(machine) : verdicts.error();
      if (verdict) row.verdict = std::move(*verdict);
      row.machine = std::move(machine);
    }
  }
  return inventory.complete();
}

std::string_view proof_note(std::string_view proof) {
  if (proof == "own-lists") return " (weaker proof)";
  return proof == "not-installed" ? " (not installed)" : "";
}

std::string recipes_of(const Json& satisfied) {
  std::string text;
  for (const Json& entry : satisfied) {
    if (!entry.is_object()) continue;
    text += fmt::format("{}{} v{}{}", text.empty() ? "" : "\n", escape_untrusted(entry.value("id", std::string("?"))),
                        entry.value("version", 0), proof_note(entry.value("proof", std::string())));
  }
  return text;
}

std::string run_text(const ledger::Run& run) {
  const bool alive = ledger::is_alive(run.holder);
  return fmt::format("run {} {} ({})", run.id, to_string(run.state),
                     alive ? fmt::format("process {}", run.holder.pid) : std::string("interrupted: run 'vm-patch recover'"));
}

std::string verdict_text(const Row& row) {
  if (!row.verdict) return row.machine ? "unknown" : "-";
  return fmt::format("{} ({})", gate::to_string(row.verdict->answer), row.verdict->rule);
}

Json row_json(const Row& row) {
  Json json{{"uuid", row.uuid}, {"name", row.name}, {"host", nullptr}, {"state", nullptr}, {"attestation", nullptr},
            {"unfinished_run", nullptr}, {"verdict", nullptr}};
  if (row.machine) {
    json["host"] = row.machine->host;
    json["state"] = inventory::to_string(row.machine->state);
  }
  if (row.attestation) {
    json["attestation"] = {{"time", format_time(row.attestation->time)}, {"run", row.attestation->run_id},
                           {"satisfied", row.attestation->satisfied}};
  }
  if (row.unfinished) {
    json["unfinished_run"] = {{"id", row.unfinished->id}, {"state", to_string(row.unfinished->state)},
                              {"pid", row.unfinished->holder.pid}, {"alive", ledger::is_alive(row.unfinished->holder)},
                              {"recovery_attempts", row.unfinished->recovery_attempts}, {"error", row.unfinished->error}};
  }
  if (row.verdict) {
    json["verdict"] = {{"answer", gate::to_string(row.verdict->answer)}, {"rule", row.verdict->rule},
                       {"reason", row.verdict->reason}, {"remedy", row.verdict->remedy}};
  }
  return json;
}

void print_for_people(const Rows& rows) {
  Table table({"MACHINE", "STATE", "GATE", "ATTESTED", "RECIPES", "UNFINISHED"});
  for (const auto& [uuid, row] : rows) {
    table.add_row({escape_untrusted(row.name), row.machine ? std::string(inventory::to_string(row.machine->state)) : "not on a host",
                   verdict_text(row), row.attestation ? format_time(row.attestation->time) : "never",
                   row.attestation ? recipes_of(row.attestation->satisfied) : "", row.unfinished ? run_text(*row.unfinished) : ""});
  }
  print_text(table.empty() ? "No machine is known.\n" : table.format());
}

Result<int> show_status(Context& context, const StatusOptions& options) {
  Rows rows;
  VMPATCH_CHECK(add_ledger(context, rows));
  VMPATCH_TRY(const bool complete, add_hosts(context, rows));
  const auto is_wanted = [&](const Row& row) {
    return options.machines.empty() || std::ranges::any_of(options.machines, [&](const std::string& name) { return name == row.uuid || name == row.name; });
  };
  std::erase_if(rows, [&](const auto& entry) { return !is_wanted(entry.second); });
  if (rows.empty() && !options.machines.empty() && complete) {
    return fail(Errc::not_found, "neither a host nor the ledger knows {}", escape_untrusted(options.machines.front()));
  }
  if (context.options.json) {
    Json json{{"schema", "vm-patch/status/v1"}, {"complete", complete}, {"machines", Json::array()}};
    for (const auto& [uuid, row] : rows) json["machines"].push_back(row_json(row));
    print_json(json);
  } else {
    print_for_people(rows);
  }
  return complete ? 0 : 1;
}

}  // namespace

void add_status_verb(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<StatusOptions>();
  auto* verb = app.add_subcommand("status", "Show unfinished runs, attestations and the gate's answer by machine");
  verb->add_option("-d,--domain", options->machines, "only this machine; repeatable")->type_name("NAME|UUID")->allow_extra_args(false);
  verb->footer("Writes nothing. Exit code 1 when a host did not answer.\n\nExample:\n  vm-patch status -d web01");
  verb->callback([&chosen, options] {
    chosen.action = [options](Context& context) { return show_status(context, *options); };
  });
}

}  // namespace vmpatch::cli
