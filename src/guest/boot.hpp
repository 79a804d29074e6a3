#pragma once

#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {

/// What the boot loader starts by default, from GRUB's configuration, boot loader entries, or extlinux; empty where none of them
/// is found or understood. What lies on another FAT partition than /boot (the EFI partition) is not read: it would need an
/// appliance. A kernel among `kernels` is told by its version. Errors: unsupported and timeout only.
Result<DefaultBoot> read_default_boot(Guest& guest, const std::vector<MountEntry>& mounts,
                                      const std::vector<Kernel>& kernels);

}  // namespace vmpatch::guest
