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
    if (of_disk->id.empty()) snapshot.problem = "the image gives it no id, by which it could be told from the present state";
    snapshot.memory = snapshot.memory || of_disk->vm_state_size > 0;
  }
  return snapshot;
}

/// One of libvirt's internal ones, of which it tells the name alone.
bool is_told_by_images(const Snapshot& snapshot) {
  return snapshot.kind == Snapshot::Kind::internal && snapshot.disks.empty() && snapshot.problem.empty();
}

}  // namespace

std::string_view to_string(Snapshot::Kind kind) { return kind == Snapshot::Kind::internal ? "internal" : "external"; }

void add_internal_snapshots(Machine& machine, const InternalSnapshots& found) {
  const auto is_in_images = [&](const Snapshot& snapshot) {
    return std::any_of(found.begin(), found.end(), [&](const auto& disk) { return find_named(found, disk.first, snapshot.name) != nullptr; });
  };
  // The images know more of it.
  std::erase_if(machine.snapshots, [&](const Snapshot& known) { return is_told_by_images(known) && is_in_images(known); });
  for (Snapshot& known : machine.snapshots) {
    if (is_told_by_images(known)) known.problem = "libvirt knows it as an internal one, but no image that the machine writes holds it (one below may)";
  }
  std::set<std::pair<std::string, std::string>> told;  // target and id
  for (const auto& [target, snapshots] : found) {
    for (const auto& one : snapshots) {
      if (told.contains({target, one.id})) continue;
      if (machine.snapshots.size() > max_snapshots) return;
      machine.snapshots.push_back(make_internal(machine, found, target, one));
      for (const Disk& disk : machine.snapshots.back().disks) {
        if (!disk.snapshot.empty()) told.insert({disk.target, disk.snapshot});
      }
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
