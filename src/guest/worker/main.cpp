// The worker process itself.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "guest/direct/direct.hpp"
#include "guest/guestfs/appliance.hpp"
#include "guest/worker/confine.hpp"
#include "guest/worker/program.hpp"
#include "guest/worker/remote_guest.hpp"
#include "guest/worker/serve.hpp"
#include "guest/worker/setup.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace worker {
namespace {

constexpr int socket_fd = 3;

std::filesystem::path& program() {
  static std::filesystem::path path = "/proc/self/exe";
  return path;
}

struct Opened {
  std::unique_ptr<Guest> guest;
  WritableGuest* writable = nullptr;  ///< the same object, or null
  bool hibernated = false;
};

Result<Opened> open_direct(const Setup& setup) {
  if (setup.write) return fail(Errc::unsupported, "the direct reader cannot write");
  std::vector<image::NbdExport> disks;
  for (const GuestDisk& disk : setup.disks) disks.push_back(disk.source);
  Opened opened;
  VMPATCH_TRY(opened.guest, direct::open(disks, &opened.hibernated));
  return opened;
}

Result<Opened> open_appliance(const Setup& setup) {
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

Result<Opened> open_guest(std::string_view kind, const Frame& request) {
  if (!request.header.contains("setup")) return fail(Errc::failed, "guest worker: no setup");
  VMPATCH_TRY(Setup setup, setup_from_json(request.header["setup"]));
  // supermin copies owners into the appliance. In a user namespace root's files belong to nobody, and with them mount(8),
  // which then cannot mount; so an ordinary user's appliance does without, and its QEMU ends by libguestfs' recovery process.
  VMPATCH_CHECK(confine(setup, socket_fd, kind == to_string(Kind::direct)));
  set_environment(setup);
  ::umask(0077);
  if (kind == to_string(Kind::direct)) return open_direct(setup);
  if (kind == to_string(Kind::appliance)) return open_appliance(setup);
  return fail(Errc::usage, "guest worker: unknown adapter {}", escape_untrusted(kind));
}

Frame opened_frame(const Opened& opened) {
  Frame frame;
  frame.header["ok"] = true;
  frame.header["hibernated"] = opened.hibernated;
  frame.blobs.push_back(opened.guest->access());
  return frame;
}

int serve(std::string_view kind) {
  auto request = receive_frame(socket_fd, no_deadline);
  if (!request) return 1;
  auto opened = open_guest(kind, *request);
  if (!opened) {
    static_cast<void>(send_frame(socket_fd, error_frame(opened.error()), no_deadline).has_value());
    return 1;
  }
  Frame reply = opened_frame(*opened);
  while (send_frame(socket_fd, reply, no_deadline)) {
    request = receive_frame(socket_fd, no_deadline);
    if (!request) return request.error().code == Errc::not_found ? 0 : 1;
    reply = answer(*request, *opened->guest, opened->writable);
  }
  return 1;
}

}  // namespace

const std::filesystem::path& worker_program() { return program(); }

}  // namespace worker

void set_guest_worker_program(const std::filesystem::path& program) { worker::program() = program; }

int guest_worker_main(int argc, char** argv) {
  if (argc < 3 || ::fcntl(worker::socket_fd, F_SETFD, FD_CLOEXEC) != 0) return 2;
  try {
    return worker::serve(argv[2]);
  } catch (const std::exception& error) {
    static_cast<void>(write_all(STDERR_FILENO, fmt::format("guest worker: {}\n", error.what())).has_value());
    return 1;
  }
}

}  // namespace vmpatch::guest
