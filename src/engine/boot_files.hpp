#pragma once
// What a machine starts from: boot loader, kernels, initial file systems, modules, firmware.

#include <string>

#include "vmpatch/guest/guest.hpp"

namespace vmpatch::engine {

/// The same text for the same files: names, sizes, modes, times of change and where links lead, of /boot and /efi, of the folders of modules
/// and of firmware. Errors: of the guest; refused, where there are more than 100,000.
Result<std::string> describe_boot_files(guest::Guest& guest);

}  // namespace vmpatch::engine
