#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <set>

#include "cli/common/machine_options.hpp"
#include "cli/common/output.hpp"
#include "cli/inventory/machine_rows.hpp"
#include "cli/verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fleet/hosts.hpp"
#include "vmpatch/fleet/machine_status.hpp"

namespace vmpatch::cli {
namespace {

using inventory::HostInventory;
using inventory::Inventory;
using inventory::Machine;

struct InventoryOptions {
  std::vector<std::string> names;
  std::vector<fs::path> folders;
  std::vector<fs::path> allow_backing;
  std::vector<fs::path> not_clones;
  std::vector<std::string> states;
  bool orphans = false;
};

bool is_wanted(const Machine& machine, const InventoryOptions& options) {
  const auto names_it = [&](const std::string& name) { return machine.name == name || machine.uuid == name; };
  const auto is_state = [&](const std::string& word) { return inventory::to_string(machine.state) == word; };
  return (options.names.empty() || std::any_of(options.names.begin(), options.names.end(), names_it)) &&
         (options.states.empty() || std::any_of(options.states.begin(), options.states.end(), is_state));
}

/// A name that nothing answers to is a mistake, unless a silent host may know it.
Result<void> check_names(const Inventory& inventory, const InventoryOptions& options) {
  for (const std::string& name : options.names) {
    const auto is_it = [&](const Machine& machine) { return machine.name == name || machine.uuid == name; };
    const auto has_it = [&](const HostInventory& host) { return std::any_of(host.machines.begin(), host.machines.end(), is_it); };
    if (inventory.complete() && std::none_of(inventory.hosts.begin(), inventory.hosts.end(), has_it)) {
      return fail(Errc::not_found, "no machine {}; 'vm-patch inventory' lists all", escape_untrusted(name));
    }
  }
  return {};
}

Json run_json(const ledger::Run& run) {
  return {{"id", run.id},
          {"state", std::string(ledger::to_string(run.state))},
          {"recipe", run.recipe_id},
          {"version", run.recipe_version},
          {"time", format_time(run.updated)}};
}

/// Works without a ledger: then nothing is known, and nobody is told so machine by machine.
StatusOf make_status(const Context& context) {
  auto runs = fleet::load_last_runs(context);
  if (!runs && runs.error().code == Errc::not_found) return [](const Machine&) { return MachineStatus{}; };
  if (!runs) context.log.warn("last runs are not shown: {}", runs.error().message);
  auto made = fleet::Verdicts::make(context);
  if (!made) context.log.warn("verdicts are not shown: {}", made.error().message);
  const auto verdicts = made ? std::make_shared<fleet::Verdicts>(std::move(*made)) : nullptr;
  return [&context, verdicts, last = runs ? std::move(*runs) : std::map<std::string, ledger::Run>()](const Machine& machine) {
    MachineStatus status;
    if (const auto run = last.find(machine.uuid); run != last.end()) status.last_run = run_json(run->second);
    if (!verdicts) return status;
    const auto verdict = verdicts->of(machine);
    if (verdict) {
      status.verdict = Json{{"answer", std::string(gate::to_string(verdict->answer))},
                            {"rule", verdict->rule},
                            {"reason", verdict->reason},
                            {"remedy", verdict->remedy}};
    } else {
      context.log.debug("no verdict on {}: {}", escape_untrusted(machine.name), verdict.error().message);
    }
    return status;
  };
}

void print_as_json(const Inventory& inventory, const StatusOf& status_of) {
  Json json = inventory::to_json(inventory);
  std::size_t at = 0;
  for (const HostInventory& host : inventory.hosts) {
    for (const Machine& machine : host.machines) {
      const MachineStatus status = status_of(machine);
      Json& entry = json["machines"][at++];
      entry["obstacles"] = inventory::patch_obstacles(machine);
      entry["last_run"] = status.last_run.value_or(Json());
      entry["verdict"] = status.verdict.value_or(Json());
    }
  }
  print_json(json);
}

void print_details(const Machine& machine) {
  for (const std::string& obstacle : inventory::patch_obstacles(machine)) print_text("  " + obstacle + "\n");
}

void print_as_table(const Context& context, const Inventory& inventory, bool orphans, const StatusOf& status_of) {
  Table table(machine_titles());
  for (const HostInventory& host : inventory.hosts) {
    for (const Machine& machine : host.machines) table.add_row(format_machine(machine, status_of(machine)));
  }
  if (!table.empty()) print_text(table.format());
  for (const HostInventory& host : inventory.hosts) {
    if (!host.problem.empty()) print_text(fmt::format("{}: not reachable: {}\n", escape_untrusted(host.host), host.problem));
  }
  for (const HostInventory& host : inventory.hosts) {
    for (const std::string& gap : host.gaps) print_text("not read: " + gap + "\n");
    for (const std::string& note : host.notes) print_text("passed over: " + note + "\n");
  }
  if (context.options.verbose > 0) {
    print_text("\nWhy disks must not be written now:\n");
    for (const HostInventory& host : inventory.hosts) std::for_each(host.machines.begin(), host.machines.end(), print_details);
  }
  if (!orphans) return;
  Table list({"ORPHAN", "SIZE", "POOL", "HOST"});
  for (const HostInventory& host : inventory.hosts) {
    for (const auto& orphan : host.orphans) {
      list.add_row({escape_untrusted(orphan.path.native()), format_size(orphan.file_size), escape_untrusted(orphan.pool),
                    escape_untrusted(orphan.host)});
    }
  }
  print_text(list.empty() ? "\nNo orphans.\n" : "\n" + list.format());
}

Result<int> run_inventory(Context& context, const InventoryOptions& options) {
  VMPATCH_TRY(auto hosts, fleet::Hosts::make(context, options.allow_backing, options.not_clones));
  hosts.add_libvirt();
  if (!options.folders.empty()) hosts.add(inventory::make_folder_source(options.folders));
  Inventory inventory = hosts.load();
  VMPATCH_CHECK(check_names(inventory, options));
  for (HostInventory& host : inventory.hosts) {
    std::erase_if(host.machines, [&](const Machine& machine) { return !is_wanted(machine, options); });
    if (!options.orphans) host.orphans.clear();
  }
  const StatusOf status_of = make_status(context);
  if (context.options.json) {
    print_as_json(inventory, status_of);
  } else {
    print_as_table(context, inventory, options.orphans, status_of);
  }
  return inventory.complete() ? 0 : 1;
}

}  // namespace

void add_inventory_verb(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("inventory", "List machines with their state, disks, last run and the gate's verdict");
  auto options = std::make_shared<InventoryOptions>();
  verb->add_option("-d,--domain", options->names, "only this machine; repeatable")->type_name("NAME|UUID")->allow_extra_args(false);
  verb->add_option("--folder", options->folders, "also the images below this folder; repeatable")->type_name("DIR")->allow_extra_args(false);
  verb->add_option("--state", options->states, "only machines in this state; repeatable")
      ->check(CLI::IsMember({"running", "paused", "pmsuspended", "saved", "shutoff", "hibernated", "crashed", "unknown"}))
      ->type_name("WORD")->allow_extra_args(false);
  verb->add_flag("--orphans", options->orphans, "also images of storage pools that nothing refers to");
  verb->add_option("--allow-backing", options->allow_backing, "folder in which backing files may lie; repeatable")
      ->type_name("DIR")->allow_extra_args(false);
  add_not_a_clone(*verb, options->not_clones);
  verb->footer("Writes nothing. (!) marks a disk that cannot be used; -v says why. Exit code 1 when a host did not answer\n"
               "or a folder may not be read.\n"
               "Example: vm-patch -c qemu:///system inventory --orphans");
  verb->callback([options, &chosen] {
    chosen.action = [options](Context& context) { return run_inventory(context, *options); };
  });
}

}  // namespace vmpatch::cli
