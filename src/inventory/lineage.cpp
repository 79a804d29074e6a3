#include <algorithm>
#include <set>

#include "inventory/left/silence.hpp"
#include "inventory/names.hpp"
#include "inventory/references.hpp"
#include "inventory/snapshots.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/image/locks.hpp"
#include "vmpatch/inventory/source.hpp"

namespace vmpatch::inventory {
namespace {

/// What the chains of a machine tell beyond its disks.
struct Found {
  InternalSnapshots snapshots;
  std::vector<image::LayerIdentity> tops;  ///< of the disks that it can write
};

void load_chain(Machine& machine, Disk& disk, const std::vector<fs::path>& allowed_dirs, Found& of_machine) {
  if (const auto usable = check_usable(machine, disk); !usable) {
    if (disk.problem.empty()) disk.problem = usable.error().message;
    return;
  }
  const auto chain = open_chain(disk, allowed_dirs);
  if (!chain) {
    if (disk.problem.empty()) disk.problem = chain.error().message;
    return;
  }
  disk.layers.clear();
  for (const image::Layer& layer : chain->layers()) {
    disk.layers.push_back({layer.path, layer.format, layer.file_size, layer.virtual_size});
  }
  const auto identity = disk.read_only ? Result<image::DiskIdentity>(image::DiskIdentity()) : chain->identity();
  if (identity && !identity->empty()) of_machine.tops.push_back(identity->front());
  const auto& header = chain->top().header;
  if (header && header->snapshot_count > 0) {
    machine.has_snapshots = true;
    auto found = internal_snapshots(chain->top());
    if (!found && disk.problem.empty()) disk.problem = found.error().message;
    if (found && !disk.read_only) of_machine.snapshots.emplace(disk.target, std::move(*found));
  }
  // libvirt knows the state of its own machines; of a bare image only QEMU's locks tell.
  if (!machine.bare || machine.state != State::shutoff) return;
  const auto usage = image::probe_usage(chain->top().fd.get());
  if (usage && *usage == image::Usage::written) machine.state = State::running;
}

std::vector<image::LayerIdentity> load_chains(Machine& machine, const std::vector<fs::path>& allowed_dirs) {
  Found found;
  for (Disk& disk : machine.disks) {
    if (disk.is_drive()) load_chain(machine, disk, allowed_dirs, found);
  }
  add_internal_snapshots(machine, found.snapshots);
  settle_snapshots(machine);
  return std::move(found.tops);
}

/// Joins what libvirt knows of memory in a file, what was recorded, and what an operator said.
void settle_saved_memory(Machine& machine, const std::vector<image::LayerIdentity>& tops, const ChainOptions& options) {
  const auto forgotten = options.forgotten_memory ? options.forgotten_memory(machine.uuid) : std::nullopt;
  const auto is_forgotten = [&](std::optional<Time> when) { return when && forgotten && *when <= *forgotten; };
  if (machine.saved_to_file && is_forgotten(machine.saved_to_file->when)) {
    machine.saved_to_file.reset();
    if (machine.state == State::saved && !machine.managed_save) machine.state = State::shutoff;
  }
  if (machine.state != State::shutoff) return;
  const auto recorded = options.saved_memory ? options.saved_memory(machine.uuid, tops) : std::nullopt;
  if (!recorded || is_forgotten(recorded)) return;
  machine.saved_to_file = FileSave{FileSave::Witness::record, recorded};
  machine.state = State::saved;
}

/// A disk of a machine, with the files that it stands on.
struct Use {
  Machine* machine;
  Disk* disk;
  DiskFiles files;
};

constexpr std::size_t max_sharers = 100;  // who shares with more has one reason already

void sort_names(std::vector<std::string>& names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
}

/// One machine that two URIs of one host show twice. A copy in another state is another machine.
bool same_machine(const Machine& a, const Machine& b) {
  return &a == &b || (a.uuid == b.uuid && a.name == b.name && a.state == b.state);
}

class Lineage {
 public:
  explicit Lineage(Inventory& inventory) : inventory_(inventory) {
    for (HostInventory& host : inventory.hosts) {
      for (Machine& machine : host.machines) add_uses(machine);
    }
    for (std::size_t i = 0; i < uses_.size(); ++i) {
      const Use& use = uses_[i];
      if (!use.machine->bare && use.files.top) domain_files_.insert(*use.files.top);
      if (use.files.top) by_top_[*use.files.top].push_back(i);
      known_.insert(use.files.below.begin(), use.files.below.end());
      if (use.files.top) known_.insert(*use.files.top);
    }
  }

  void find_shared() {
    for (const auto& [key, users] : by_top_) {
      // An installation medium may be in thousands of drives.
      if (std::all_of(users.begin(), users.end(), [&](std::size_t i) { return uses_[i].disk->read_only; })) continue;
      for (const std::size_t a : users) {
        for (const std::size_t b : users) {
          if (a != b) note_shared(uses_[a], uses_[b]);
        }
      }
    }
  }

  void find_children() {
    for (const Use& use : uses_) {
      // A folder's listing shows a domain's overlay as an image, too: the domain alone is named.
      if (use.machine->bare && use.files.top && domain_files_.count(*use.files.top) != 0) continue;
      for (const FileKey& key : use.files.below) note_child(key, use.machine->name);
    }
    for (const fs::path& file : neighbours()) note_image(file);
    for (const HostInventory& host : inventory_.hosts) {
      for (const Orphan& volume : host.volumes) note_image(volume.path);
    }
  }

  /// After find_children(): what other images stand on is no orphan either.
  void find_orphans() {
    std::set<FileKey> in_use = domain_files_;
    in_use.insert(below_.begin(), below_.end());
    for (const Use& use : uses_) in_use.insert(use.files.below.begin(), use.files.below.end());
    for (const HostInventory& host : inventory_.hosts) {
      for (const Machine& machine : host.machines) {
        for (const fs::path& file : machine.other_files) {
          if (const auto key = keys_.of(file)) in_use.insert(*key);
        }
        for (const Snapshot& snapshot : machine.snapshots) {
          for (const Disk& disk : snapshot.disks) add_files(disk, in_use);
        }
      }
    }
    for (HostInventory& host : inventory_.hosts) {
      host.orphans.clear();
      for (const Orphan& volume : host.volumes) {
        const auto key = keys_.of(volume.path);
        if (key && in_use.insert(*key).second) host.orphans.push_back(volume);
      }
    }
  }

 private:
  void add_uses(Machine& machine) {
    if (!machine.local) return;
    for (Disk& disk : machine.disks) {
      Use use{&machine, &disk, find_disk_files(disk, keys_)};
      if (use.files.top || !use.files.below.empty()) uses_.push_back(std::move(use));
    }
  }

  void add_files(const Disk& disk, std::set<FileKey>& in_use) {
    const DiskFiles files = find_disk_files(disk, keys_);
    if (files.top) in_use.insert(*files.top);
    in_use.insert(files.below.begin(), files.below.end());
  }

  static void note_shared(const Use& own, const Use& other) {
    if (own.disk->read_only && other.disk->read_only) return;
    if (own.machine == other.machine) {
      if (own.disk->problem.empty()) {
        own.disk->problem = "it names the same image as disk " + escape_untrusted(other.disk->target) + "; give each its own";
      }
      return;
    }
    if (own.machine->shared_with.size() >= max_sharers || same_machine(*own.machine, *other.machine)) return;
    // A domain's disk that is also listed as a file of a folder is not shared: only the file has an owner.
    if (other.machine->bare && !own.machine->bare) return;
    const bool copy = own.machine->uuid == other.machine->uuid;
    own.machine->shared_with.push_back(other.machine->name + (copy ? " on " + other.machine->host : ""));
  }

  void note_child(const FileKey& key, const std::string& name) {
    const auto found = by_top_.find(key);
    if (found == by_top_.end()) return;
    for (const std::size_t parent : found->second) uses_[parent].machine->children.push_back(name);
  }

  /// A file that no machine names.
  void note_image(const fs::path& file) {
    const auto key = keys_.of(file);
    if (!key || !known_.insert(*key).second) return;
    for (const FileKey& below : find_files_below(file, keys_)) {
      below_.insert(below);
      note_child(below, file.native());
    }
  }

  /// Files in the folders of all images that a machine writes.
  std::vector<fs::path> neighbours() {
    std::map<fs::path, std::string> folders;  // value: why it could not be read
    std::vector<fs::path> files;
    for (const Use& use : uses_) {
      if (!use.files.top || use.files.top->second == 0 || use.disk->read_only) continue;  // inode 0: a block device
      const auto [folder, is_new] = folders.try_emplace(use.disk->source->parent_path());
      if (is_new) {
        auto found = load_neighbours(folder->first);
        if (found) files.insert(files.end(), found->begin(), found->end());
        if (!found) folder->second = found.error().message;
      }
      if (use.machine->bare && use.machine->problem.empty()) use.machine->problem = folder->second;
    }
    return files;
  }

  Inventory& inventory_;
  FileKeys keys_;
  std::vector<Use> uses_;
  std::map<FileKey, std::vector<std::size_t>> by_top_;
  std::set<FileKey> domain_files_;  ///< top layers of libvirt's machines
  std::set<FileKey> known_;         ///< layers of any machine
  std::set<FileKey> below_;         ///< what images without a machine stand on
};

void mark_template(Machine& machine, const std::vector<std::string>& patterns) {
  const auto named = [&](const std::string& pattern) { return matches_pattern(pattern, machine.name); };
  machine.is_template = machine.metadata.role == "template" || !machine.children.empty() ||
                        std::any_of(patterns.begin(), patterns.end(), named);
}

}  // namespace

void load_lineage(Inventory& inventory, const ChainOptions& options) {
  if (options.left_as_machines) join_left(inventory);
  std::vector<fs::path> allowed = options.allowed_dirs;
  for (const HostInventory& host : inventory.hosts) allowed.insert(allowed.end(), host.pool_dirs.begin(), host.pool_dirs.end());
  for (HostInventory& host : inventory.hosts) {
    for (Machine& machine : host.machines) {
      settle_saved_memory(machine, load_chains(machine, allowed), options);
    }
  }
  Lineage lineage(inventory);
  lineage.find_shared();
  lineage.find_children();
  lineage.find_orphans();
  note_silence(inventory, options.without_libvirt);
  for (HostInventory& host : inventory.hosts) {
    for (Machine& machine : host.machines) {
      sort_names(machine.children);
      sort_names(machine.shared_with);
      mark_template(machine, options.template_names);
    }
  }
}

}  // namespace vmpatch::inventory
