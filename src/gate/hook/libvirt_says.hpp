#pragma once
// What libvirt's status file and the kernel say of the machine's QEMU at this moment. All of it is positive knowledge: silence, a
// file that cannot be read or is another machine's, is false.

#include <filesystem>
#include <optional>

#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::gate {

class LibvirtSays {
 public:
  /// From RUN/libvirt/qemu/NAME.xml and /proc.
  static LibvirtSays look(const std::filesystem::path& run_dir, const inventory::Machine& machine);

  /// libvirt's file of the machine was there and could be read.
  [[nodiscard]] bool known() const { return status_.has_value(); }
  /// Its QEMU lives.
  [[nodiscard]] bool running() const { return !arguments_.empty(); }
  /// QEMU was told to load a snapshot, or libvirt works at one and the vCPUs have not run yet: the disks are not those that
  /// `prepare` saw.
  [[nodiscard]] bool snapshot_loaded() const;
  /// At `stopped`: its vCPUs have run.
  [[nodiscard]] bool has_run() const;
  /// At `stopped`: it ended because its memory was saved. False, too, where that is not known.
  [[nodiscard]] bool memory_saved() const;

 private:
  std::optional<inventory::DomainStatus> status_;
  std::vector<std::string> arguments_;  ///< of the living QEMU
};

}  // namespace vmpatch::gate
