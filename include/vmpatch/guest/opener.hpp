#pragma once
// From exported disks to a guest. Each adapter runs in an own unprivileged program (vm-patch-guest, vm-patch-appliance;
// src/guest/worker); the parent speaks a length-prefixed JSON protocol with it over a socket pair and treats its answers as
// hostile.

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "vmpatch/core/log.hpp"
#include "vmpatch/guest/facts.hpp"
#include "vmpatch/guest/guest.hpp"
#include "vmpatch/image/block_server.hpp"

namespace vmpatch::guest {

struct GuestDisk {
  image::NbdExport source;
  bool read_only = true;
};

/// A process that was started ahead of its disks.
class PreparedReader {
 public:
  virtual ~PreparedReader() = default;
};

struct OpenRequest {
  std::vector<GuestDisk> disks;                    ///< in the order of the machine's XML; all of ONE machine
  std::optional<image::NbdExport> payload_disk;    ///< read-only ISO 9660 (appliance, writable open only)
  std::filesystem::path work_dir;                  ///< of this run, passable for the worker (0711); a folder for the worker is made in it
  std::filesystem::path cache_dir;                 ///< supermin appliance, KVM answer; shared between runs
  int log_fd = -1;                                 ///< the appliance's messages
  std::shared_ptr<PreparedReader> prepared;        ///< of prepare_read(); used by the first open_read() only
  bool direct_only = false;                        ///< open_read(): no appliance; Errc::unsupported where one is needed
  Seconds timeout{600};                            ///< for launching; each call has its own limit
};

/// Reads in-process-fast where it can (direct path), else through the appliance. `hibernated` is filled here.
/// Errors: refused (no or several operating systems: names the devices), failed, unsupported.
class GuestOpener {
 public:
  virtual ~GuestOpener() = default;
  /// Starts what open_read() will need, so that it is ready when the disks are. A hint: null, or failing, costs only time.
  /// To be used in the same thread.
  virtual std::shared_ptr<PreparedReader> prepare_read(int log_fd) = 0;
  virtual Result<std::unique_ptr<Guest>> open_read(const OpenRequest& request) = 0;
  virtual Result<std::unique_ptr<WritableGuest>> open_write(const OpenRequest& request) = 0;
};

/// The real one: direct first, appliance as fallback, appliance for writing.
std::unique_ptr<GuestOpener> make_guest_opener(Log& log);
/// Only one of them (contract tests, --access).
std::unique_ptr<GuestOpener> make_direct_opener(Log& log);
std::unique_ptr<GuestOpener> make_appliance_opener(Log& log);

/// Starts the confined reader and lets it end. The error says why it does not start (doctor).
Result<void> try_direct_reader();

/// What accelerates QEMU on this host, tried once in a throw-away QEMU and remembered in `cache_dir` until the QEMU binary
/// (path, size, mtime) or the boot id changes.
enum class Accelerator { kvm, tcg };
struct AcceleratorAnswer {
  Accelerator accelerator = Accelerator::tcg;
  std::string reason;  ///< "no /dev/kvm", "QEMU aborted on KVM: …", "KVM works"
  bool remembered = false;
};
Result<AcceleratorAnswer> find_accelerator(const std::filesystem::path& cache_dir);

}  // namespace vmpatch::guest
