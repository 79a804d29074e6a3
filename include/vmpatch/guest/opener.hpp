#pragma once
// From exported disks to a guest. Both adapters run in an own unprivileged process (src/guest/worker); the parent speaks a
// length-prefixed JSON protocol with it over a socket pair and treats its answers as hostile.

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

struct OpenRequest {
  std::vector<GuestDisk> disks;                    ///< in the order of the machine's XML; all of ONE machine
  std::optional<image::NbdExport> payload_disk;    ///< read-only ISO 9660 (appliance, writable open only)
  std::filesystem::path work_dir;                  ///< of this run, passable for the worker (0711); a folder for the worker is made in it
  std::filesystem::path cache_dir;                 ///< supermin appliance, KVM answer; shared between runs
  int log_fd = -1;                                 ///< the appliance's messages
  Seconds timeout{600};                            ///< for launching; each call has its own limit
};

/// Reads in-process-fast where it can (direct path), else through the appliance. `hibernated` is filled here.
/// Errors: refused (no or several operating systems: names the devices), failed, unsupported.
class GuestOpener {
 public:
  virtual ~GuestOpener() = default;
  virtual Result<std::unique_ptr<Guest>> open_read(const OpenRequest& request) = 0;
  virtual Result<std::unique_ptr<WritableGuest>> open_write(const OpenRequest& request) = 0;
};

/// The real one: direct first, appliance as fallback, appliance for writing.
std::unique_ptr<GuestOpener> make_guest_opener(Log& log);
/// Only one of them (contract tests, --access).
std::unique_ptr<GuestOpener> make_direct_opener(Log& log);
std::unique_ptr<GuestOpener> make_appliance_opener(Log& log);

/// Entry of the worker process: `vm-patch __guest-worker KIND` with the socket on descriptor 3. Called by main() before
/// anything else. Returns the process exit code.
int guest_worker_main(int argc, char** argv);
/// First argument that leads to it.
inline constexpr std::string_view guest_worker_argument = "__guest-worker";
/// Tests and tools whose own program is not vm-patch name the program to start; default /proc/self/exe.
void set_guest_worker_program(const std::filesystem::path& program);

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
