#include "inventory/snapshots.hpp"

#include <algorithm>
#include <set>

#include "vmpatch/core/format.hpp"

namespace vmpatch::inventory {
namespace {

constexpr std::size_t max_snapshots = 256;

/// As QEMU finds one: the first of that name.
const image::InternalSnapshot* find_named(const InternalSnapshots& found, const std::string& target, const std::string& name) {
  const auto disk = found.find(target);
  if (disk == found.end()) return nullptr;
  const auto one = std::find_if(disk->second.begin(), disk->second.end(), [&](const auto& snapshot) { return snapshot.name == name; });
  return one == disk->second.end() ? nullptr : &*one;
}

Snapshot make_internal(const Machine& machine, const InternalSnapshots& found, const std::string& target,
                       const image::InternalSnapshot& of_target) {
  Snapshot snapshot{.name = of_target.name, .kind = Snapshot::Kind::internal, .taken = Time(of_target.taken),
                    .memory = false, .disks = machine.disks, .problem = {}};
  for (Disk& disk : snapshot.disks) {
    const auto* of_disk = disk.target == target ? &of_target : find_named(found, disk.target, of_target.name);
    if (of_disk == nullptr) continue;
    disk.snapshot = of_disk->id;
    snapshot.memory = snapshot.memory || of_disk->vm_state_size > 0;
  }
  return snapshot;
}

}  // namespace

std::string_view to_string(Snapshot::Kind kind) { return kind == Snapshot::Kind::internal ? "internal" : "external"; }

void add_internal_snapshots(Machine& machine, const InternalSnapshots& found) {
  std::set<std::pair<std::string, std::string>> told;  // target and id
  for (const auto& [target, snapshots] : found) {
    for (const auto& one : snapshots) {
      if (told.contains({target, one.id})) continue;
      if (machine.snapshots.size() > max_snapshots) return;
      machine.snapshots.push_back(make_internal(machine, found, target, one));
      for (const Disk& disk : machine.snapshots.back().disks) told.insert({disk.target, disk.snapshot});
    }
  }
}

void settle_snapshots(Machine& machine) {
  auto& snapshots = machine.snapshots;
  std::stable_sort(snapshots.begin(), snapshots.end(), [](const Snapshot& a, const Snapshot& b) { return a.taken < b.taken; });
  if (snapshots.size() <= max_snapshots) return;
  snapshots.resize(max_snapshots);
  Snapshot rest;
  rest.name = "(more)";
  rest.problem = fmt::format("the machine has more than {} snapshots, and the later ones are not looked at", max_snapshots);
  snapshots.push_back(std::move(rest));
}

Machine at_snapshot(const Machine& machine, const Snapshot& snapshot) {
  Machine then = machine;
  then.disks = snapshot.disks;
  then.at_snapshot = snapshot.name;
  then.snapshots.clear();
  return then;
}

}  // namespace vmpatch::inventory
