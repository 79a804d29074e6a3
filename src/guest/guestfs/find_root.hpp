#pragma once

#include "guest/guestfs/appliance.hpp"
#include "guest/guestfs/appliance_guest.hpp"

namespace vmpatch::guest::guestfs {

struct Found {
  std::vector<Mount> mounts;  ///< root first
  std::string payload_device;
  bool hibernated = false;
};

/// The one operating system of a launched appliance. Nothing is mounted afterwards.
Result<Found> find_root(guestfs_h* g, const ApplianceOptions& options);

}  // namespace vmpatch::guest::guestfs
