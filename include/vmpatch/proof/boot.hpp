#pragma once
// A machine started once, in a throw-away QEMU without network, to see whether it comes up. Its disks are NBD exports over a layer that is
// thrown away; everything that comes back (console, guest agent, QMP) is hostile. Adapter: proof/qemu, a confined program.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/result.hpp"
#include "vmpatch/image/block_server.hpp"

namespace vmpatch::proof {

namespace fs = std::filesystem;

/// What a machine is started on. Words are libvirt's (docs/formatdomain.rst) and hostile; "" and 0 = what libvirt would take.
struct Hardware {
  std::string machine;      ///< pc-q35-7.2; one that this host's QEMU does not have becomes its own of that family
  std::string uuid;         ///< of the firmware's tables
  std::uint64_t memory = 0;  ///< bytes; at least 512 MiB and at most 2 GiB are given
  unsigned processors = 0;  ///< at most 2 are given
  std::string scsi_model;   ///< of a SCSI controller
  bool local_time = false;
  // Firmware. Its variables are always a copy.
  bool efi = false;
  bool secure = false;          ///< one that enforces secure boot
  fs::path code;                ///< empty = SeaBIOS, or with `efi` the first OVMF of this host
  bool code_is_flash = false;   ///< else an image that holds everything
  fs::path variables, variables_template;  ///< tried in this order; neither = those that belong to the code
};

struct Disk {
  image::NbdExport source;
  std::string name;        ///< for messages: vda
  std::string bus;         ///< virtio, scsi, sata, ide, usb; "" = virtio
  std::string serial;
  unsigned boot_order = 0; ///< 0 = none; where no disk has one they follow each other
};

struct BootRequest {
  Hardware hardware;
  std::vector<Disk> disks;
  bool kvm = false;            ///< as guest::find_accelerator() says
  Seconds timeout{300};        ///< until it has to be up
  Seconds power_down{60};      ///< after that: for switching itself off, when it is asked to
  fs::path evidence;           ///< path of what is kept of one that is not up, without an ending: .console, .screen.png
  int log_fd = -1;             ///< QEMU's own messages
  std::function<Result<void>()> keep_going;  ///< asked twice a second; an error ends it. May be empty
};

/// By what it was seen.
enum class Sign {
  agent,         ///< the QEMU guest agent answered
  login_prompt,  ///< on the serial console
  run_level,     ///< it switched itself off when it was asked to, and its disks say that it had reached multi-user
};
std::string_view to_string(Sign sign);  ///< "agent", "login-prompt", "run-level"

struct BootReport {
  std::optional<Sign> up;      ///< nothing = it did not come up
  Seconds took{0};
  std::string reason;          ///< why not: one line, escaped
  bool switched_off = false;   ///< not seen to be up, but at the end of the time it switched itself off when it was asked to: its disks may tell
  std::vector<fs::path> evidence;  ///< files that were kept
};

/// Whether this host could start it at all, without trying. Errors: not_found (no QEMU or no firmware: names the package), unsupported (machine
/// type, disk bus, firmware, or architecture `arch`, "" = x86_64).
Result<void> check_bootable(const Hardware& hardware, const std::vector<Disk>& disks, std::string_view arch);

/// Starts it and watches until it is up, has failed, or the time is over. QEMU is gone when this returns. Errors: those of
/// check_bootable(), of keep_going, and failed (QEMU did not start, a disk cannot be connected, nothing can be kept).
Result<BootReport> boot(const BootRequest& request);

}  // namespace vmpatch::proof
