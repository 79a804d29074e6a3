#include "inventory/left/silence.hpp"

#include <algorithm>

#include "inventory/names.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory {
namespace {

constexpr std::size_t max_users = 5;

struct Use {
  const LeftMachine* left;
  const Disk* disk;
  bool is_backing;
};
using Uses = std::multimap<FileKey, Use>;

struct Left {
  Uses uses;
  std::vector<std::string> unopened;  ///< chains that go on out of reach
};

Left find_uses(const LeftBehind& left, const std::set<FileKey>& not_clones, const Reach& reach, FileKeys& keys) {
  Left found;
  for (const LeftMachine& one : left.machines) {
    for (const Disk& disk : one.machine.disks) {
      const DiskFiles files = find_disk_files(disk, reach, keys);
      if (files.top) found.uses.emplace(*files.top, Use{&one, &disk, false});
      for (const auto* below : {&files.below.said, &files.below.maybe}) {
        for (const FileKey& key : *below) found.uses.emplace(key, Use{&one, &disk, true});
      }
      if (files.top && not_clones.contains(*files.top)) continue;
      for (const fs::path& file : files.below.unopened) found.unopened.push_back(name_unopened(one.machine, disk, file));
    }
  }
  return found;
}

std::string_view condition(LeftMachine::Kind kind) {
  switch (kind) {
    case LeftMachine::Kind::defined: return "which is defined";
    case LeftMachine::Kind::noted: return "which was running";
    case LeftMachine::Kind::running: return "which is running";
    case LeftMachine::Kind::saved: break;
  }
  return "whose memory is saved and belongs to its disks as they are";
}

/// The file that tells the gravest of each machine: the kinds are in this order.
std::vector<Use> gravest_of_each(Uses::const_iterator begin, Uses::const_iterator end) {
  std::map<std::string, Use> of_machine;
  for (auto found = begin; found != end; ++found) {
    const auto [known, is_new] = of_machine.try_emplace(found->second.left->machine.uuid, found->second);
    if (!is_new && known->second.left->kind < found->second.left->kind) known->second = found->second;
  }
  std::vector<Use> uses;
  for (const auto& [uuid, use] : of_machine) uses.push_back(use);
  return uses;
}

std::string name_user(const Machine& image, const HostInventory& host, const Use& use) {
  const Machine& user = use.left->machine;
  return fmt::format("{} is {}{}, {} ({} says so; {} does not answer: {}); start that libvirt, and name the machine with -d {}",
                     shown_name(image), use.is_backing ? "a backing file of " : "", shown_disk(user, *use.disk), condition(use.left->kind),
                     escape_untrusted(use.left->file.native()), escape_untrusted(host.host), host.problem, shown_in_command(user));
}

std::string name_gap(const Machine& image, const HostInventory& host) {
  const LeftBehind& left = *host.left;
  std::string text = fmt::format("{} may be a machine's, or memory that was saved to a file may belong to it: {} does not answer ({}), and ",
                                 shown_name(image), escape_untrusted(host.host), host.problem);
  if (left.unread.empty()) {
    text += "has machines";
  } else {
    text += left.unread.front();
    if (left.unread.size() > 1) text += fmt::format(" (and {} more)", left.unread.size() - 1);
  }
  return text + "; start that libvirt, or say --without-libvirt if you know that no machine needs the image as it is";
}

void note_silence_of(const HostInventory& host, const Left& left, bool without_libvirt, FileKeys& keys, Machine& image) {
  bool is_named = false;
  for (const Disk& disk : image.disks) {
    const auto key = disk.source ? keys.of(*disk.source) : std::nullopt;
    if (!key) continue;
    const auto [begin, end] = left.uses.equal_range(*key);
    for (const Use& use : gravest_of_each(begin, end)) {
      if (image.unanswered.size() < max_users) image.unanswered.push_back(name_user(image, host, use));
      is_named = true;
    }
  }
  if (is_named) return;
  if (!left.unopened.empty()) image.unanswered.push_back(left.unopened.front());
  if (!without_libvirt) image.unanswered.push_back(name_gap(image, host));
}

Machine as_machine(const HostInventory& host, const LeftMachine& left) {
  Machine machine = left.machine;
  machine.host = host.host;
  machine.state = left.kind == LeftMachine::Kind::running ? State::running : left.kind == LeftMachine::Kind::saved ? State::saved : State::shutoff;
  machine.managed_save = left.kind == LeftMachine::Kind::saved;
  return machine;
}

}  // namespace

void join_left(Inventory& inventory) {
  for (HostInventory& host : inventory.hosts) {
    if (!host.left) continue;
    for (const LeftMachine& left : host.left->machines) host.machines.push_back(as_machine(host, left));
  }
}

void note_silence(Inventory& inventory, const ChainOptions& options, const Reach& reach) {
  FileKeys keys;
  const auto not_clones = keys.of_all(options.not_clones);
  for (const HostInventory& host : inventory.hosts) {
    if (!host.left || host.left->nothing()) continue;
    const Left left = find_uses(*host.left, not_clones, reach, keys);
    for (HostInventory& other : inventory.hosts) {
      for (Machine& machine : other.machines) {
        if (machine.bare) note_silence_of(host, left, options.without_libvirt, keys, machine);
      }
    }
  }
}

}  // namespace vmpatch::inventory
