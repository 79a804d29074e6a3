#include <algorithm>

#include "inventory/names.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/inventory/source.hpp"

namespace vmpatch::inventory {
namespace {

constexpr std::size_t max_names = 5;

std::string join(const std::vector<std::string>& names) {
  std::string joined;
  for (std::size_t i = 0; i < std::min(names.size(), max_names); ++i) {
    joined += (i == 0 ? "" : ", ") + escape_untrusted(names[i]);
  }
  if (names.size() > max_names) joined += fmt::format(" and {} more", names.size() - max_names);
  return joined;
}

std::string state_obstacle(const Machine& machine) {
  const std::string name = shown_name(machine);
  switch (machine.state) {
    case State::shutoff: return {};
    case State::running:
      if (machine.bare) return name + " is being written by a running QEMU; shut that machine down first";
      return name + " is running; shut it down first";
    case State::paused: return name + " is paused, with its memory in use; resume it and shut it down first";
    case State::pmsuspended: return name + " is suspended to RAM; wake it and shut it down first";
    case State::saved: return {};  // said by the saved memory
    case State::hibernated: return name + " is hibernated: its swap holds its memory; start it and shut it down first";
    case State::crashed: return name + " has crashed and is still held by libvirt; end it with virsh destroy first";
    case State::unknown: break;
  }
  return name + " is in a state that libvirt does not know; make sure that it is shut off";
}

std::string_view witness_words(FileSave::Witness witness) {
  switch (witness) {
    case FileSave::Witness::libvirt: return "says libvirt";
    case FileSave::Witness::log: return "says libvirt's log";
    case FileSave::Witness::record: break;
  }
  return "the gate saw it";
}

std::string file_save_obstacle(const Machine& machine, const FileSave& save) {
  const std::string command = shown_in_command(machine);
  std::string text = fmt::format("{} has memory that was saved to a file{} ({}) and belongs to its disks as they are; restore it with "
                                 "virsh restore FILE and shut it down", shown_name(machine),
                                 save.when ? " at " + format_time(*save.when) : "", witness_words(save.told_by));
  // What was forgotten is told from what was saved later by the time alone.
  if (save.when) text += fmt::format("; or, if that file was thrown away, say so with vm-patch gate forget-save -d {} --reason TEXT", command);
  return text + "; or start it without that memory, which is worthless then, with virsh start --force-boot, and shut it down";
}

std::string memory_obstacle(const Machine& machine) {
  if (machine.saved_to_file && !machine.managed_save) return file_save_obstacle(machine, *machine.saved_to_file);
  if (!machine.managed_save && machine.state != State::saved) return {};
  return fmt::format("{} has saved memory that belongs to its disks as they are; start it and shut it down; or throw the memory away with "
                     "virsh start --force-boot, and shut it down, or with virsh managedsave-remove, and say so with "
                     "vm-patch gate forget-save -d {} --reason TEXT", shown_name(machine), shown_in_command(machine));
}

void add_disk_obstacles(const Machine& machine, std::vector<std::string>& found) {
  const auto add = [&](const Disk& disk, std::string_view what) { found.push_back(shown_disk(machine, disk) + ": " + std::string(what)); };
  const auto writable = [](const Disk& disk) { return disk.is_drive() && !disk.read_only; };
  if (std::none_of(machine.disks.begin(), machine.disks.end(), writable)) {
    found.push_back(shown_name(machine) + " has no disk that can be written; nothing can be patched on it");
  }
  for (const Disk& disk : machine.disks) {
    if (!writable(disk)) continue;
    if (disk.transient) add(disk, "it is transient, so libvirt would throw the patch away; remove <transient/> with virsh edit");
    if (const auto usable = check_usable(machine, disk); !usable) {
      found.push_back(usable.error().message);
    } else if (!disk.problem.empty()) {
      found.push_back(shown_problem(machine, disk));
    }
  }
}

void add_child_obstacles(const Machine& machine, std::vector<std::string>& found) {
  const std::string name = shown_name(machine);
  const std::string_view remedy = machine.bare ? "define a machine of libvirt on it, whose patch is then published beside it as a new version"
                                               : "a patch of it has to be published as a new version";
  if (!machine.children.empty()) {
    found.push_back(fmt::format("{} is the backing file of {}, which a write would corrupt; {}", name, join(machine.children), remedy));
  }
  if (!machine.possible_children.empty()) {
    found.push_back(fmt::format("{} may be the backing file of {}: the first bytes say so, and nobody says whether it is a qcow2 image or a raw "
                                "disk, whose guest writes there what it likes; if it is no clone, say so with --not-a-clone FILE, else {}", name,
                                join(machine.possible_children), remedy));
  }
}

/// What a new file can take the place of.
void add_place_obstacles(const Machine& machine, std::vector<std::string>& found) {
  const std::string name = shown_name(machine);
  if (machine.has_snapshots) {
    found.push_back(name + " has snapshots, which belong to the files that it has now, so no other one can take their place; delete them with "
                           "virsh snapshot-delete, or make a template without any");
  }
  for (const Disk& disk : machine.disks) {
    if (!disk.is_drive() || disk.read_only || !disk.source) continue;
    std::error_code error;
    if (fs::is_regular_file(*disk.source, error)) continue;
    found.push_back(fmt::format("{} is not a file, so no new version can be published beside it; move it into a file with qemu-img convert",
                                shown_disk(machine, disk)));
  }
}

/// Why nobody may rely on that its disks stay as they are, or on knowing which these are.
std::vector<std::string> common_obstacles(const Machine& machine) {
  const std::string name = shown_name(machine);
  std::vector<std::string> found;
  if (!machine.local) {
    found.push_back(fmt::format("{} lives on {}, whose disks are not here; run vm-patch on that host", name, machine.host));
  }
  if (!machine.at_snapshot.empty()) {
    found.push_back(fmt::format("{} at its snapshot {} is only read; revert it first, or patch it as it is", name,
                                escape_untrusted(machine.at_snapshot)));
  }
  if (std::string state = state_obstacle(machine); !state.empty()) found.push_back(std::move(state));
  found.insert(found.end(), machine.unanswered.begin(), machine.unanswered.end());
  if (std::string memory = memory_obstacle(machine); !memory.empty()) found.push_back(std::move(memory));
  if (!machine.persistent) found.push_back(name + " is transient and vanishes when it stops; define it with virsh define first");
  if (!machine.shared_with.empty()) {
    found.push_back(fmt::format("{} shares a disk with {}; {}", name, join(machine.shared_with),
                                machine.bare ? "name that machine with -d instead" : "give each machine its own image"));
  }
  return found;
}

void add_reading_obstacles(const Machine& machine, std::vector<std::string>& found) {
  if (!machine.problem.empty()) found.push_back(fmt::format("{} could not be read fully: {}", shown_name(machine), machine.problem));
  add_disk_obstacles(machine, found);
}

}  // namespace

std::vector<std::string> write_obstacles(const Machine& machine) {
  auto found = common_obstacles(machine);
  add_child_obstacles(machine, found);
  add_reading_obstacles(machine, found);
  return found;
}

bool must_publish(const Machine& machine) { return !machine.children.empty() || !machine.possible_children.empty(); }

std::vector<std::string> publish_obstacles(const Machine& machine) {
  auto found = common_obstacles(machine);
  if (machine.bare) add_child_obstacles(machine, found);
  add_place_obstacles(machine, found);
  add_reading_obstacles(machine, found);
  return found;
}

std::vector<std::string> patch_obstacles(const Machine& machine) {
  return must_publish(machine) ? publish_obstacles(machine) : write_obstacles(machine);
}

}  // namespace vmpatch::inventory
