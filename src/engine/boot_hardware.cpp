#include "engine/boot_hardware.hpp"

#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {

Result<proof::Hardware> boot_hardware(const inventory::Machine& machine) {
  const auto& said = machine.hardware;
  if (!said.kernel.empty()) return fail(Errc::unsupported, "its kernel is a file of the host ({}), not of its disks", escape_untrusted(said.kernel.string()));
  if (!said.firmware_format.empty()) return fail(Errc::unsupported, "its firmware is kept in format {}; a boot proof takes raw", escape_untrusted(said.firmware_format));
  proof::Hardware hardware;
  hardware.machine = said.machine;
  hardware.uuid = machine.uuid;
  hardware.memory = said.memory;
  hardware.processors = said.vcpus;
  hardware.scsi_model = said.scsi_model;
  hardware.local_time = said.local_time;
  hardware.efi = said.efi;
  hardware.secure = said.secure;
  hardware.code = said.loader;
  hardware.code_is_flash = said.loader_is_flash;
  hardware.variables = said.nvram;
  hardware.variables_template = said.nvram_template;
  return hardware;
}

proof::Disk boot_disk(const inventory::Machine& machine, const std::string& target) {
  proof::Disk disk;
  disk.name = target;
  for (const auto& said : machine.disks) {
    if (said.target != target) continue;
    disk.bus = said.bus;
    disk.serial = said.serial;
    disk.boot_order = said.boot_order;
  }
  return disk;
}

}  // namespace vmpatch::engine
