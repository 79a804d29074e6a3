#include "vmpatch/fleet/disk_use.hpp"

#include <sys/stat.h>

namespace vmpatch::fleet {
namespace {

using inventory::Disk;
using inventory::Machine;

/// Top first.
std::vector<std::filesystem::path> files_of(const Disk& disk) {
  std::vector<std::filesystem::path> files;
  for (const Disk::LayerInfo& layer : disk.layers) files.push_back(layer.path);
  if (files.empty() && disk.source) files.push_back(*disk.source);
  return files;
}

}  // namespace

std::uint64_t allocated_bytes(const std::filesystem::path& file) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return 0;
  return static_cast<std::uint64_t>(status.st_blocks) * 512;  // stat(2): in units of 512 bytes
}

DiskUse::DiskUse(const inventory::Inventory& inventory) {
  std::set<std::filesystem::path> of_domains;
  for (const bool bare : {false, true}) {
    for (const inventory::HostInventory& host : inventory.hosts) {
      for (const Machine& machine : host.machines) {
        if (machine.bare != bare || !machine.local) continue;
        for (const Disk& disk : machine.disks) {
          // A domain's disk that a folder's listing shows, too, has one user.
          if (!disk.is_drive() || (bare && disk.source && of_domains.contains(*disk.source))) continue;
          if (!bare && disk.source) of_domains.insert(*disk.source);
          for (const auto& file : files_of(disk)) users_[file].insert(machine.uuid);
        }
      }
    }
  }
}

std::uint64_t DiskUse::own_bytes(const Machine& machine) const {
  std::set<std::filesystem::path> own;
  for (const Disk& disk : machine.disks) {
    if (!disk.is_drive() || !machine.local) continue;
    const auto files = files_of(disk);
    for (const auto& file : files) {
      const auto users = users_.find(file);
      const bool shared = users != users_.end() && (users->second.size() > 1 || !users->second.contains(machine.uuid));
      const bool has_children = &file == &files.front() && !(machine.children.empty() && machine.possible_children.empty());
      if (!shared && !has_children) own.insert(file);
    }
  }
  std::uint64_t bytes = 0;
  for (const auto& file : own) bytes += allocated_bytes(file);
  return bytes;
}

}  // namespace vmpatch::fleet
