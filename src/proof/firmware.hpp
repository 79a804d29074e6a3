#pragma once
// The firmware that a machine is started with, as memory files: variables are a copy of its own, which is thrown away.

#include "proof/machine.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::proof {

struct Firmware {
  FirmwareKind kind = FirmwareKind::none;
  UniqueFd code, variables;
};

/// Errors: not_found (this host has no such firmware: names the package), unsupported (secure boot on another machine than q35), failed.
Result<Firmware> load_firmware(const Hardware& hardware);

}  // namespace vmpatch::proof
