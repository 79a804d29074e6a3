#include "fleet/pick.hpp"

#include <algorithm>
#include <set>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/gate/decision.hpp"

namespace vmpatch::fleet {
namespace {

using inventory::HostInventory;
using inventory::Inventory;
using inventory::Machine;

std::string list_hosts(const Inventory& inventory) {
  std::string text;
  for (const HostInventory& host : inventory.hosts) {
    if (host.host == "file") continue;
    text += (text.empty() ? "" : ", ") + escape_untrusted(host.host);
    if (!host.problem.empty()) text += " (not reachable: " + host.problem + ")";
  }
  return text;
}

Result<Machine> find_domain(const Inventory& inventory, const std::string& wanted) {
  std::vector<const Machine*> found;
  for (const HostInventory& host : inventory.hosts) {
    for (const Machine& machine : host.machines) {
      if (!machine.bare && (machine.name == wanted || machine.uuid == wanted)) found.push_back(&machine);
    }
  }
  const std::string shown = escape_untrusted(wanted);
  if (found.empty()) {
    return fail(Errc::not_found, "no machine {} on {}; 'vm-patch inventory' lists them", shown, list_hosts(inventory));
  }
  if (found.size() > 1) {
    std::string places;
    for (const Machine* machine : found) places += fmt::format("{}{} on {}", places.empty() ? "" : ", ", machine->uuid, machine->host);
    return fail(Errc::refused, "{} names several machines ({}); name one host with -c, or the UUID", shown, places);
  }
  return *found.front();
}

/// The first group of the configuration that matches, as for the gate; and the group of its metadata.
bool is_in_group(const Machine& machine, const Json& gate_policy, const std::string& name) {
  if (machine.metadata.group == name) return true;
  const Json group = gate::find_group(gate_policy, machine);
  return !group.is_null() && group.at("name") == name;
}

/// Collects each machine once.
class Picker {
 public:
  explicit Picker(const Inventory& inventory) : inventory_(inventory) {}

  Result<void> take_named(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      VMPATCH_TRY(const auto machine, find_domain(inventory_, name));
      take(machine);
    }
    return {};
  }

  Result<void> take_groups(const std::vector<std::string>& names, const Json& gate_policy) {
    for (const std::string& name : names) {
      if (take_domains([&](const Machine& machine) { return is_in_group(machine, gate_policy, name); }) > 0) continue;
      return fail(Errc::not_found, "no machine on {} is in group {}; groups are in the configuration and in the metadata of machines",
                  list_hosts(inventory_), escape_untrusted(name));
    }
    return {};
  }

  template <class Wanted>
  std::size_t take_domains(const Wanted& wanted) {
    std::size_t found = 0;
    for (const HostInventory& host : inventory_.hosts) {
      for (const Machine& machine : host.machines) {
        if (machine.bare || !wanted(machine)) continue;
        take(machine);
        ++found;
      }
    }
    return found;
  }

  void take(const Machine& machine) {
    if (taken_.insert(machine.host + " " + machine.uuid).second) picked_.push_back(machine);
  }

  /// Unless a machine with this disk was taken before.
  void take_image_of_folder(const Machine& image) {
    const auto has_it = [&](const Machine& machine) {
      return std::any_of(machine.disks.begin(), machine.disks.end(),
                         [&](const inventory::Disk& disk) { return disk.source && disk.source == image.disks.front().source; });
    };
    if (std::none_of(picked_.begin(), picked_.end(), has_it)) take(image);
  }

  std::vector<Machine> finish() { return std::move(picked_); }

 private:
  const Inventory& inventory_;
  std::set<std::string> taken_;
  std::vector<Machine> picked_;
};

}  // namespace

Result<std::vector<Machine>> pick(const Inventory& inventory, const MachineOptions& options, const Json& gate_policy) {
  Picker picker(inventory);
  VMPATCH_CHECK(picker.take_named(options.domains));
  VMPATCH_CHECK(picker.take_groups(options.groups, gate_policy));
  if (options.all) picker.take_domains([](const Machine&) { return true; });
  for (const HostInventory& host : inventory.hosts) {
    const bool of_folder = !options.folders.empty() && &host == &inventory.hosts.back();
    for (const Machine& machine : host.machines) {
      if (!machine.bare) continue;
      if (of_folder) {
        picker.take_image_of_folder(machine);
      } else {
        picker.take(machine);
      }
    }
  }
  return picker.finish();
}

}  // namespace vmpatch::fleet
