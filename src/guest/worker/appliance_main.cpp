// vm-patch-appliance: reads or writes one guest through a libguestfs appliance. It is started with the caller's account and
// shuts itself in before it opens anything.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "guest/guestfs/appliance.hpp"
#include "guest/worker/confine.hpp"
#include "guest/worker/process.hpp"
#include "guest/worker/setup.hpp"

namespace vmpatch::guest::worker {
namespace {

Result<Opened> launch(const Setup& setup) {
  guestfs::ApplianceOptions options;
  options.disks = setup.disks;
  options.payload = setup.payload;
  options.tmp = setup.tmp;
  options.cache = setup.cache;
  options.accelerator = setup.accelerator;
  options.write = setup.write;
  options.log_fd = STDERR_FILENO;
  VMPATCH_TRY(auto guest, guestfs::open(options));
  Opened opened;
  opened.writable = guest.get();
  opened.hibernated = guest->hibernated();
  opened.guest = std::move(guest);
  return opened;
}

/// Where libraries and programs below this process put files. A socket's path must fit into 108 bytes: sun_path, unix(7).
void set_environment(const Setup& setup) {
  constexpr std::size_t longest = 60;  // leaves room for libguestfs' own names
  ::setenv("HOME", setup.tmp.c_str(), 1);
  ::setenv("TMPDIR", setup.tmp.c_str(), 1);
  if (setup.tmp.string().size() <= longest) ::setenv("XDG_RUNTIME_DIR", setup.tmp.c_str(), 1);
}

Result<Opened> open_appliance(const Frame& request) {
  if (!request.header.contains("setup")) return fail(Errc::failed, "guest worker: no setup");
  VMPATCH_TRY(Setup setup, setup_from_json(request.header["setup"]));
  VMPATCH_CHECK(confine(setup, worker_socket));
  set_environment(setup);
  ::umask(0077);
  return launch(setup);
}

}  // namespace
}  // namespace vmpatch::guest::worker

int main() { return vmpatch::guest::worker::serve_guest(vmpatch::guest::worker::open_appliance); }
