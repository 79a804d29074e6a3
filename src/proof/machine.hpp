#pragma once
// QEMU's arguments for a machine. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/proof/boot.hpp"

namespace vmpatch::proof {

/// A confined program sees nothing but /usr.
inline constexpr const char* qemu_program = "/usr/bin/qemu-system-x86_64";

/// Numbers of the descriptors that QEMU gets.
inline constexpr int monitor_fd = 4, console_fd = 5, agent_fd = 6, code_fd = 7, variables_fd = 8, first_disk_fd = 10;
inline constexpr std::size_t most_disks = 64;

/// Files of the firmware that are given: none (SeaBIOS), one that holds everything, or code and variables.
enum class FirmwareKind { none, whole, split };

struct MachineSpec {
  std::string type;          ///< as this host's QEMU calls it
  FirmwareKind firmware = FirmwareKind::none;
  bool kvm = false;
};

/// The machine's own type where `known` (of "qemu -machine help") has it, else its family's: "pc" or "q35". Errc::unsupported: another family.
Result<std::string> machine_type(const std::string& wanted, const std::vector<std::string>& known);
/// Names of the answer to "qemu -machine help".
std::vector<std::string> machine_names(std::string_view answer);

/// Bytes of memory, and processors, that it gets.
std::uint64_t memory_of(const Hardware& hardware);
unsigned processors_of(const Hardware& hardware);

/// Everything behind the program's name. Errc::unsupported: a disk's bus, a SCSI controller, too many disks.
Result<std::vector<std::string>> machine_arguments(const Hardware& hardware, const std::vector<Disk>& disks, const MachineSpec& spec);

}  // namespace vmpatch::proof
