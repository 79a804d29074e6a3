#include "guest/guestfs/launch.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "guest/guestfs/bounded_qemu.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::guestfs {
namespace {

constexpr int writing_mib = 1024;  ///< dpkg and initramfs tools in the guest need more than the default
constexpr int reading_mib = 768;
constexpr int max_cpus = 2;

void write_log(guestfs_h*, void* opaque, std::uint64_t, int, int, const char* text, std::size_t size, const std::uint64_t*,
               std::size_t) {
  const int fd = *static_cast<const int*>(opaque);
  static_cast<void>(write_all(fd, std::string_view(text, size)).has_value());
}

Result<void> configure(guestfs_h* g, const ApplianceOptions& options) {
  // Never through libvirt: it would call our own hook.
  VMPATCH_CHECK(check(g, guestfs_set_backend(g, "direct"), "choose libguestfs' direct backend"));
  if (options.accelerator == Accelerator::tcg) {
    VMPATCH_CHECK(check(g, guestfs_set_backend_setting(g, "force_tcg", "1"), "choose emulation"));
    const CString qemu(guestfs_get_hv(g));
    if (!qemu) return last_error(g, "find QEMU");
    VMPATCH_TRY(const auto bounded, make_bounded_qemu(options.tmp, qemu.get()));
    // Without a root folder of its own this may lie where no program may be started: then nothing is bounded.
    if (::access(bounded.c_str(), X_OK) == 0) VMPATCH_CHECK(check(g, guestfs_set_hv(g, bounded.c_str()), "bound QEMU"));
  }
  VMPATCH_CHECK(check(g, guestfs_set_network(g, 0), "keep the appliance off the network"));
  VMPATCH_CHECK(check(g, guestfs_set_memsize(g, options.write ? writing_mib : reading_mib), "set the appliance's memory"));
  // A disk without room is an error of what writes there. By default QEMU would stop the appliance until somebody makes room: it waits
  // for ever.
  for (const char* setting : {"scsi-hd.werror=report", "scsi-hd.rerror=report"}) {
    VMPATCH_CHECK(check(g, guestfs_config(g, "-global", setting), "have the appliance told of errors"));
  }
  const auto cpus = static_cast<int>(std::clamp<long>(::sysconf(_SC_NPROCESSORS_ONLN), 1, max_cpus));
  VMPATCH_CHECK(check(g, guestfs_set_smp(g, cpus), "set the appliance's processors"));
  VMPATCH_CHECK(check(g, guestfs_set_tmpdir(g, options.tmp.c_str()), "use the worker's folder", options.tmp.string()));
  VMPATCH_CHECK(check(g, guestfs_set_cachedir(g, options.tmp.c_str()), "use the worker's folder", options.tmp.string()));
  VMPATCH_CHECK(check(g, guestfs_set_path(g, options.appliance.c_str()), "use the appliance", options.appliance.string()));
  return check(g, guestfs_set_identifier(g, "vm-patch"), "name the appliance");
}

Result<void> add_disk(guestfs_h* g, const image::NbdExport& source, bool read_only) {
  if (!read_only && !source.writable) {
    return fail(Errc::failed, "export {} of {} is read-only, but the guest was asked for writing", source.name, source.socket.string());
  }
  std::string server = "unix:" + source.socket.string();
  std::array<char*, 2> servers{server.data(), nullptr};
  struct guestfs_add_drive_opts_argv options {};
  options.bitmask = GUESTFS_ADD_DRIVE_OPTS_READONLY_BITMASK | GUESTFS_ADD_DRIVE_OPTS_FORMAT_BITMASK |
                    GUESTFS_ADD_DRIVE_OPTS_PROTOCOL_BITMASK | GUESTFS_ADD_DRIVE_OPTS_SERVER_BITMASK;
  options.readonly = read_only ? 1 : 0;
  options.format = "raw";
  options.protocol = "nbd";
  options.server = servers.data();
  if (!read_only) {
    // Every write still reaches the NBD server, which flushes when the export is taken away; until then the overlay is
    // worth nothing. So flushes on the way there would only cost time.
    options.bitmask |= GUESTFS_ADD_DRIVE_OPTS_CACHEMODE_BITMASK | GUESTFS_ADD_DRIVE_OPTS_DISCARD_BITMASK;
    options.cachemode = "unsafe";
    options.discard = "besteffort";
  }
  // For NBD the file name is the name of the export: guestfs(3), "NETWORK BLOCK DEVICE".
  return check(g, guestfs_add_drive_opts_argv(g, source.name.c_str(), &options), "add disk", source.name);
}

}  // namespace

Result<Handle> launch(const ApplianceOptions& options) {
  Handle handle(guestfs_create());
  if (!handle) return fail(Errc::failed, "cannot make a libguestfs handle: out of memory");
  guestfs_h* g = handle.get();
  guestfs_set_error_handler(g, nullptr, nullptr);  // errors are returned, not printed
  if (options.log_fd >= 0) {
    static int log_fd = -1;  // lives as long as any handle
    log_fd = options.log_fd;
    const std::uint64_t events = GUESTFS_EVENT_APPLIANCE | GUESTFS_EVENT_LIBRARY | GUESTFS_EVENT_WARNING | GUESTFS_EVENT_TRACE;
    VMPATCH_CHECK(check(g, guestfs_set_event_callback(g, write_log, events, 0, &log_fd), "listen to the appliance's messages"));
  }
  VMPATCH_CHECK(configure(g, options));
  for (const GuestDisk& disk : options.disks) VMPATCH_CHECK(add_disk(g, disk.source, disk.read_only || !options.write));
  if (options.payload) VMPATCH_CHECK(add_disk(g, *options.payload, true));
  if (guestfs_launch(g) == -1) {
    return last_error(g, "start the appliance").in("the run's log has its messages");
  }
  return handle;
}

}  // namespace vmpatch::guest::guestfs
