#include <algorithm>
#include <set>

#include "inventory/chains.hpp"
#include "inventory/left/silence.hpp"
#include "inventory/names.hpp"
#include "inventory/references.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/inventory/source.hpp"

namespace vmpatch::inventory {
namespace {

/// A disk of a machine, with the files that it stands on.
struct Use {
  Machine* machine;
  Disk* disk;
  DiskFiles files;
};

constexpr std::size_t max_sharers = 100;  // who shares with more has one reason already
constexpr std::size_t max_unanswered = 5;

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
  Lineage(Inventory& inventory, std::set<FileKey> not_clones, const Reach& reach, FileKeys& keys)
      : inventory_(inventory), reach_(reach), keys_(keys), not_clones_(std::move(not_clones)) {
    for (HostInventory& host : inventory.hosts) {
      for (Machine& machine : host.machines) add_uses(machine);
    }
    known_ = reach.raw;
    for (std::size_t i = 0; i < uses_.size(); ++i) {
      const Use& use = uses_[i];
      if (!use.machine->bare && use.files.top) domain_files_.insert(*use.files.top);
      if (use.files.top) by_top_[*use.files.top].push_back(i);
      known_.insert(use.files.below.said.begin(), use.files.below.said.end());
      if (use.files.top && is_format_said(*use.disk)) known_.insert(*use.files.top);
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
      if (use.machine->bare && use.files.top && (domain_files_.contains(*use.files.top) || is_no_clone(use))) continue;
      for (const FileKey& key : use.files.below.said) note_child(key, use.machine->name);
      if (!is_no_clone(use)) note_doubts(use);
    }
    for (const fs::path& file : neighbours()) note_image(file);
    for (const HostInventory& host : inventory_.hosts) {
      for (const Orphan& volume : host.volumes) note_image(volume.path);
    }
    for (const Use& use : uses_) {
      if (use.files.top && !is_format_said(*use.disk)) note_image(*use.disk->source);
    }
  }

  /// After find_children(): what other images stand on is no orphan either.
  void find_orphans() {
    std::set<FileKey> in_use = domain_files_;
    in_use.insert(below_.begin(), below_.end());
    for (const Use& use : uses_) add_below(use.files.below, in_use);
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
      Use use{&machine, &disk, find_disk_files(disk, reach_, keys_)};
      if (use.files.top || !use.files.below.said.empty()) uses_.push_back(std::move(use));
    }
  }

  static void add_below(const Below& below, std::set<FileKey>& files) {
    files.insert(below.said.begin(), below.said.end());
    files.insert(below.maybe.begin(), below.maybe.end());
  }

  void add_files(const Disk& disk, std::set<FileKey>& in_use) {
    const DiskFiles files = find_disk_files(disk, reach_, keys_);
    if (files.top) in_use.insert(*files.top);
    add_below(files.below, in_use);
  }

  [[nodiscard]] bool is_no_clone(const Use& use) const { return use.files.top && not_clones_.contains(*use.files.top); }

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

  void note_at_parents(const FileKey& key, const std::string& name, std::vector<std::string> Machine::*list) {
    const auto found = by_top_.find(key);
    if (found == by_top_.end()) return;
    for (const std::size_t parent : found->second) (uses_[parent].machine->*list).push_back(name);
  }
  void note_child(const FileKey& key, const std::string& name) { note_at_parents(key, name, &Machine::children); }
  void note_possible_child(const FileKey& key, const std::string& name) { note_at_parents(key, name, &Machine::possible_children); }

  /// What a machine that libvirt knows may stand on, besides what is known.
  void note_doubts(const Use& use) {
    for (const FileKey& key : use.files.below.maybe) note_possible_child(key, use.disk->source->native());
    if (use.machine->bare) return;
    for (const fs::path& file : use.files.below.unopened) {
      const std::string text = name_unopened(*use.machine, *use.disk, file);
      for (const Use& other : uses_) {
        if (other.machine != use.machine && !other.disk->read_only) add_unanswered(*other.machine, text);
      }
    }
  }

  static void add_unanswered(Machine& machine, const std::string& text) {
    auto& all = machine.unanswered;
    if (all.size() < max_unanswered && std::find(all.begin(), all.end(), text) == all.end()) all.push_back(text);
  }

  /// A file of which no machine tells what it is.
  void note_image(const fs::path& file) {
    const auto key = keys_.of(file);
    const auto by_name = format_of_name(file);
    if (!key || !known_.insert(*key).second || not_clones_.contains(*key) || file.extension() == ".raw") return;
    const bool is_file = key->second != 0;  // the folder of a block device is /dev
    const Below below = find_files_below(file, by_name == image::Format::qcow2, is_file ? file.parent_path() : fs::path(), reach_, keys_);
    add_below(below, below_);
    for (const FileKey& one : below.said) note_child(one, file.native());
    for (const FileKey& one : below.maybe) note_possible_child(one, file.native());
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
  const Reach& reach_;
  FileKeys& keys_;
  std::set<FileKey> not_clones_;  ///< by an operator's word
  std::vector<Use> uses_;
  std::map<FileKey, std::vector<std::size_t>> by_top_;
  std::set<FileKey> domain_files_;  ///< top layers of libvirt's machines
  std::set<FileKey> known_;         ///< layers of any machine, and disks that are said to be raw
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
  FileKeys keys;
  for (HostInventory& host : inventory.hosts) {
    for (Machine& machine : host.machines) {
      settle_saved_memory(machine, load_chains(machine, allowed), options);
    }
  }
  const Reach reach = make_reach(inventory, allowed, keys);
  Lineage lineage(inventory, keys.of_all(options.not_clones), reach, keys);
  lineage.find_shared();
  lineage.find_children();
  lineage.find_orphans();
  note_silence(inventory, options, reach);
  for (HostInventory& host : inventory.hosts) {
    for (Machine& machine : host.machines) {
      sort_names(machine.children);
      sort_names(machine.possible_children);
      sort_names(machine.shared_with);
      mark_template(machine, options.template_names);
    }
  }
}

}  // namespace vmpatch::inventory
