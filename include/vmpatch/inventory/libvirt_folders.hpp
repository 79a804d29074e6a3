#pragma once
// The folders in which a libvirtd of this computer keeps its QEMU machines: for what it has forgotten.

#include <filesystem>
#include <optional>
#include <string>

namespace vmpatch::inventory {

namespace fs = std::filesystem;

struct LibvirtFolders {
  fs::path definitions;  ///< NAME.xml of every persistent machine
  fs::path status;       ///< NAME.xml of every machine that runs, with the pid of its QEMU
  fs::path saves;        ///< NAME.save: managed saves
  fs::path logs;         ///< NAME.log: what its QEMU printed, with libvirt's own lines on start and end
  fs::path sockets;      ///< libvirt-sock or virtqemud-sock, where a daemon listens
};

/// As libvirt itself finds them: those of qemu:///system, and of this user's qemu:///session (XDG folders, else below HOME).
/// nullopt for any other URI, and for one with a socket of its own: nothing is known of that daemon's folders.
std::optional<LibvirtFolders> libvirt_folders(const std::string& uri);

}  // namespace vmpatch::inventory
