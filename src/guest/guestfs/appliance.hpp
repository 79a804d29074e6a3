#pragma once
// A guest in a libguestfs appliance: a small QEMU with its own kernel and without network, which gets the machine's disks as
// NBD sockets. Meant for a process without privileges; libguestfs and QEMU below it meet hostile file systems.

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "vmpatch/guest/guest.hpp"
#include "vmpatch/guest/opener.hpp"

namespace vmpatch::guest::guestfs {

struct ApplianceOptions {
  std::vector<GuestDisk> disks;  ///< a read-only one gets a throw-away overlay, so that its journal can be replayed
  std::optional<image::NbdExport> payload;
  std::filesystem::path tmp;    ///< for overlays and sockets
  std::filesystem::path appliance;  ///< a fixed one: kernel, initrd and root
  Accelerator accelerator = Accelerator::tcg;
  bool write = false;  ///< mount for writing what lies on writable disks
  int log_fd = -1;     ///< messages of libguestfs and of the appliance
};

/// Launches, finds the one operating system and mounts it by its fstab. Errors: refused (no or several operating systems,
/// encrypted disk, hibernated guest opened for writing); failed.
Result<std::unique_ptr<WritableGuest>> open(const ApplianceOptions& options);

}  // namespace vmpatch::guest::guestfs
