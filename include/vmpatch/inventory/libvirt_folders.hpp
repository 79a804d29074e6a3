#pragma once
// The folders in which a libvirtd of this computer keeps its QEMU machines: for what it has forgotten,
// and for when it does not answer.

#include <filesystem>
#include <optional>
#include <string>

#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory {

struct LibvirtFolders {
  fs::path definitions;  ///< NAME.xml of every persistent machine
  fs::path status;       ///< NAME.xml of every machine that runs, with the pid of its QEMU
  fs::path saves;        ///< NAME.save: managed saves
  fs::path logs;         ///< NAME.log: what its QEMU printed, with libvirt's own lines on start and end
  fs::path pools;        ///< NAME.xml of every persistent storage pool
  fs::path pool_status;  ///< NAME.xml of every active one
  fs::path sockets;      ///< libvirt-sock or virtqemud-sock, where a daemon listens
};

/// As libvirt itself finds them: those of qemu:///system, and of this user's qemu:///session (XDG folders, else below HOME).
/// nullopt for any other URI, and for one with a socket of its own: nothing is known of that daemon's folders.
std::optional<LibvirtFolders> libvirt_folders(const std::string& uri);

/// False where they hold no machine at all: nothing is defined, runs, or has saved memory. A folder that may not be read may hold one.
bool may_hold_machines(const LibvirtFolders& folders);

/// Everything that they tell of machines; at most 20,000 files of each kind. What cannot be read is told, never passed over. Target:
/// inventory_left.
LeftBehind load_left_behind(const LibvirtFolders& folders);

/// Gives disks that are named by pool and volume the path of the volume, where the folders tell of the pool. Target: inventory_xml.
void resolve_volumes(Machine& machine, const LibvirtFolders& folders);

/// What is known of a daemon without them: that nothing is.
LeftBehind unknown_folders(const std::string& uri);

}  // namespace vmpatch::inventory
