#pragma once
// Which machines to work on.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "vmpatch/fleet/invocation.hpp"
#include "vmpatch/inventory/source.hpp"

namespace vmpatch::fleet {

/// Named as the options of the command are.
struct MachineOptions {
  std::vector<std::string> domains;     ///< -d NAME|UUID
  std::vector<fs::path> images;         ///< -a FILE
  std::string format;                   ///< --format of the images
  std::vector<fs::path> allow_backing;  ///< --allow-backing DIR
  std::vector<fs::path> not_clones;     ///< --not-a-clone FILE
  bool without_libvirt = false;         ///< --without-libvirt: see inventory::ChainOptions
  bool all = false;                     ///< --all: every machine of the hosts
  std::vector<std::string> groups;      ///< --group NAME: of the configuration, or of the machines' metadata
  std::vector<fs::path> folders;        ///< --folder DIR: images by their names' ends
  std::string snapshot;                 ///< --snapshot NAME: the machines as they would be after a revert to it
  bool orphans = false;                 ///< the orphans of the local pools, as bare images; no option of its own
};

struct Selection {
  /// In the order of the command line, each once; lineage loaded. An image of a folder that is the disk of a machine that was
  /// selected too is left out.
  std::vector<inventory::Machine> machines;
  inventory::Inventory inventory;            ///< everything that was looked at, with lineage and orphans
  std::vector<std::string> silent_hosts;     ///< hosts whose machines were asked for and that did not answer
  std::vector<std::string> unread_folders;   ///< below --folder, with the reason; escaped
  std::vector<fs::path> allowed_dirs;        ///< for open_disk_chain: --allow-backing, policy, pools
  /// Reads one machine again, lineage included (other machines may have come to use its disks). Thread-safe.
  std::function<Result<inventory::Machine>(const inventory::Machine&)> reread;
  /// Nothing that was asked for is left out: else a verb that found nothing else ends with exit code 1.
  [[nodiscard]] bool is_whole() const { return silent_hosts.empty() && unread_folders.empty(); }
};

/// Errors: usage (no machine named, -a without --format, broken configuration), not_found (the message names the hosts
/// that were asked, the group that no machine is in, or the snapshots that there are), refused (a name on several hosts). For images alone the local
/// hosts are asked too, for their pools and for machines that use the image: one that is silent is an obstacle of the image where it
/// has machines (inventory::Machine::unanswered), else it does not matter.
Result<Selection> select_machines(const Invocation& invocation, const MachineOptions& options);

}  // namespace vmpatch::fleet
