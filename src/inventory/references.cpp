#include "inventory/references.hpp"

#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory {
namespace {

constexpr std::size_t max_neighbours = 10'000;
constexpr std::size_t max_below = 64;  // twice what Chain::open follows: a hostile web of names ends somewhere

/// A machine's raw disks, and the raw files that its other ones stand on.
void add_raw_disks(const Machine& machine, FileKeys& keys, std::set<FileKey>& raw) {
  for (const Disk& disk : machine.disks) {
    const auto add = [&](const fs::path& path) {
      if (const auto key = keys.of(path)) raw.insert(*key);
    };
    if (disk.source && disk.format == "raw" && is_format_said(disk)) add(*disk.source);
    for (std::size_t i = 1; i < disk.layers.size(); ++i) {
      if (disk.layers[i].format == image::Format::raw) add(disk.layers[i].path);
    }
    if (!disk.configured_chain) continue;
    for (const auto& [path, format] : *disk.configured_chain) {
      if (format == image::Format::raw) add(path);
    }
  }
}

/// The folder of a block device is /dev.
void add_own_folders(const Machine& machine, FileKeys& keys, std::set<fs::path>& folders) {
  for (const Disk& disk : machine.disks) {
    if (!disk.source || disk.read_only) continue;
    const auto key = keys.of(*disk.source);
    if (key && key->second != 0) folders.insert(disk.source->parent_path());
  }
}

}  // namespace

std::optional<FileKey> FileKeys::of(const fs::path& path) {
  const auto found = known_.find(path);
  if (found != known_.end()) return found->second;
  std::optional<FileKey> key;
  if (auto result = image::file_key(path)) key = *result;
  return known_.emplace(path, key).first->second;
}

bool is_format_said(const Disk& disk) {
  return disk.format && !(disk.format_by_name && disk.source && disk.source->extension() == ".img");
}

std::set<FileKey> FileKeys::of_all(const std::vector<fs::path>& paths) {
  std::set<FileKey> keys;
  for (const fs::path& path : paths) {
    if (const auto key = of(path)) keys.insert(*key);
  }
  return keys;
}

Reach make_reach(const Inventory& inventory, const std::vector<fs::path>& allowed, FileKeys& keys) {
  Reach reach;
  std::set<fs::path> folders(allowed.begin(), allowed.end());
  const auto add = [&](const Machine& machine) {
    add_raw_disks(machine, keys, reach.raw);
    add_own_folders(machine, keys, folders);
  };
  for (const HostInventory& host : inventory.hosts) {
    for (const Machine& machine : host.machines) {
      if (machine.local) add(machine);
    }
    if (!host.left) continue;
    for (const LeftMachine& left : host.left->machines) add(left.machine);
  }
  reach.folders.assign(folders.begin(), folders.end());
  return reach;
}

Below find_files_below(const fs::path& image, bool is_said, const fs::path& own_folder, const Reach& reach, FileKeys& keys) {
  Below below;
  std::vector<fs::path> folders = reach.folders;
  if (!own_folder.empty()) folders.insert(folders.begin(), own_folder);
  struct Header {
    fs::path file;
    bool is_said;
  };
  std::vector<Header> open;
  const auto take = [&](const std::vector<image::BackingName>& names, bool by_said) {
    for (const image::BackingName& next : names) {
      const auto key = keys.of(next.path);
      if (!key || !(by_said ? below.said : below.maybe).insert(*key).second) continue;
      if (next.format != "raw" && !reach.raw.contains(*key)) open.push_back({next.path, by_said && next.format == "qcow2"});
    }
  };
  if (const auto named = image::named_backing_files(image)) take(*named, is_said);
  while (!open.empty() && below.said.size() + below.maybe.size() < max_below) {
    const Header header = std::move(open.back());
    open.pop_back();
    const auto named = image::named_backing_files(header.file, folders);
    if (named) take(*named, header.is_said);
    if (!named && named.error().code == Errc::refused && header.is_said) below.unopened.push_back(header.file);
  }
  for (const Header& left : open) {
    if (left.is_said) below.unopened.push_back(left.file);
  }
  return below;
}

DiskFiles find_disk_files(const Disk& disk, const Reach& reach, FileKeys& keys) {
  DiskFiles files;
  if (!disk.source) return files;
  files.top = keys.of(*disk.source);
  // What is neither file nor block device is not even opened: opening some devices does something.
  const bool is_qcow2 = disk.format == "qcow2";
  const bool may_be_qcow2 = files.top && (is_qcow2 || (disk.format != "raw" && !reach.raw.contains(*files.top)));
  if (may_be_qcow2 && disk.layers.empty()) files.below = find_files_below(*disk.source, is_qcow2, disk.source->parent_path(), reach, keys);
  const auto add = [&](const fs::path& path) {
    if (const auto key = keys.of(path)) files.below.said.insert(*key);
  };
  for (std::size_t i = 1; i < disk.layers.size(); ++i) add(disk.layers[i].path);
  if (disk.configured_chain) {
    for (const auto& [path, format] : *disk.configured_chain) add(path);
  }
  if (files.top) files.below.said.erase(*files.top);
  if (files.top) files.below.maybe.erase(*files.top);
  return files;
}

Result<std::vector<fs::path>> load_neighbours(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  std::size_t seen = 0;
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (++seen > max_neighbours) {
      return fail(Errc::refused, "folder {} has more than {} entries, so overlays of its images cannot be ruled out; move the "
                  "image into a smaller folder", escape_untrusted(folder.native()), max_neighbours);
    }
    std::error_code ignored;
    if (entry->symlink_status(ignored).type() == fs::file_type::regular) files.push_back(entry->path());
  }
  if (error) return errno_error(error.value(), "read folder " + escape_untrusted(folder.native()));
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace vmpatch::inventory
