// vm-patch-appliance: reads or writes one guest through a libguestfs appliance. It is started with the caller's account and
// shuts itself in before it opens anything.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "guest/guestfs/appliance.hpp"
#include "guest/worker/confine.hpp"
#include "guest/worker/process.hpp"
#include "guest/worker/setup.hpp"
#include "guest/worker/start.hpp"
#include "vmpatch/core/file.hpp"

namespace vmpatch::guest::worker {
namespace {

Result<Opened> launch(const Setup& setup) {
  guestfs::ApplianceOptions options;
  options.disks = setup.disks;
  options.payload = setup.payload;
  options.tmp = setup.tmp;
  options.appliance = setup.appliance;
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

/// Where libraries and programs below this process put files. Without this libguestfs puts its sockets into /tmp, which may be shut.
Result<void> set_environment(const Setup& setup) {
  // A socket's path must fit into 108 bytes (sun_path, unix(7)), with libguestfs' "/libguestfsXXXXXX/guestfsd.sock" behind.
  constexpr std::size_t longest = 107 - 31;
  ::setenv("HOME", setup.tmp.c_str(), 1);
  ::setenv("TMPDIR", setup.tmp.c_str(), 1);
  ::setenv("XDG_RUNTIME_DIR", setup.tmp.c_str(), 1);
  if (setup.tmp.native().size() <= longest) return {};
  // The same folder under a short name, for each process that starts in it.
  if (::chdir(setup.tmp.c_str()) != 0) return errno_error(errno, setup.tmp.string());
  ::setenv("XDG_RUNTIME_DIR", "/proc/self/cwd", 1);
  return {};
}

Result<Opened> open_appliance(const Frame& request) {
  if (!request.header.contains("setup")) return fail(Errc::failed, "guest worker: no setup");
  VMPATCH_TRY(Setup setup, setup_from_json(request.header["setup"]));
  VMPATCH_TRY(const auto missing, confine(setup, worker_socket));
  for (const auto& what : missing) {
    // For the run's log.
    static_cast<void>(write_all(STDERR_FILENO, fmt::format("not permitted here: {}\n", what)).has_value());
  }
  VMPATCH_CHECK(set_environment(setup));
  ::umask(0077);
  return launch(setup);
}

/// For doctor: what is missing on this host, a line each.
int tell_confinement() {
  Setup setup;
  setup.appliance = "/usr";
  setup.run_as = fresh_credentials();
  const auto missing = confine(setup, -1);
  const std::string text = missing ? fmt::format("{}", fmt::join(*missing, "\n")) : missing.error().message;
  const bool told = write_all(STDOUT_FILENO, text).has_value();
  return missing && told ? 0 : 1;
}

}  // namespace
}  // namespace vmpatch::guest::worker

int main(int argc, char** argv) {
  using namespace vmpatch::guest::worker;
  if (argc == 2 && std::string_view(argv[1]) == confinement_question) return tell_confinement();
  return serve_guest(open_appliance);
}
