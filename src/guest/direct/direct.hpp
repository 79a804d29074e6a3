#pragma once
// Reads a guest without an appliance: ext2/3/4 over NBD, in milliseconds. Meant for a process without privileges: a
// hostile file system meets libext2fs here.

#include <memory>
#include <vector>

#include "vmpatch/core/unique_fd.hpp"
#include "vmpatch/guest/guest.hpp"

namespace vmpatch::guest::direct {

/// A connected socket to an NBD server, before the first byte of the protocol.
struct Connection {
  UniqueFd socket;
  std::string export_name;
  std::uint64_t size = 0;  ///< bytes; 0 = what the server says
};

/// `disks`: all of one machine, in its order. Nothing else is opened: no file, no socket. `*hibernated` (may be null) is set also where opening fails later: a swap
/// partition or swap file holds a suspended system. The Guest is read-only. An
/// operation takes at most 60 s, and all of them together 2 s of processor time, apart from content (deadline.hpp): timeout.
/// Errors: unsupported (an appliance may read it: LVM, RAID, XFS, btrfs, journal that needs recovery, unknown feature, …); refused
/// (no or several operating systems, nothing but what is encrypted or of another kind, ambiguous mount table); failed (damage, missing disk);
/// timeout.
Result<std::unique_ptr<Guest>> open(std::vector<Connection> disks, bool* hibernated);

}  // namespace vmpatch::guest::direct
