#include "fleet/at_snapshot.hpp"

#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::fleet {
namespace {

constexpr std::size_t most_named = 20;

std::string list_snapshots(const inventory::Machine& machine) {
  if (machine.snapshots.empty()) return "it has none";
  std::string text = "it has ";
  const std::size_t shown = std::min(machine.snapshots.size(), most_named);
  for (std::size_t i = 0; i < shown; ++i) text += (i == 0 ? "" : ", ") + escape_untrusted(machine.snapshots[i].name);
  if (machine.snapshots.size() > shown) text += fmt::format(" and {} more", machine.snapshots.size() - shown);
  return text;
}

}  // namespace

Result<void> go_to_snapshot(std::vector<inventory::Machine>& machines, const std::string& name) {
  for (inventory::Machine& machine : machines) {
    const auto is_wanted = [&](const inventory::Snapshot& snapshot) { return snapshot.name == name; };
    const auto found = std::find_if(machine.snapshots.begin(), machine.snapshots.end(), is_wanted);
    const std::string what = fmt::format("{} at snapshot {}", escape_untrusted(machine.name), escape_untrusted(name));
    // Of an image that cannot be read it is not known what it holds.
    const auto unread = std::find_if(machine.disks.begin(), machine.disks.end(), [](const inventory::Disk& disk) { return !disk.problem.empty(); });
    if (found == machine.snapshots.end() && unread != machine.disks.end()) return fail(Errc::refused, "{}: {}", what, unread->problem);
    if (found == machine.snapshots.end()) return fail(Errc::not_found, "{}: there is no such snapshot; {}", what, list_snapshots(machine));
    if (!found->problem.empty()) return fail(Errc::refused, "{}: {}", what, found->problem);
    if (std::find_if(found + 1, machine.snapshots.end(), is_wanted) != machine.snapshots.end()) {
      return fail(Errc::refused, "{}: several snapshots have this name; tell them apart by renaming one", what);
    }
    machine = inventory::at_snapshot(machine, *found);
  }
  return {};
}

}  // namespace vmpatch::fleet
