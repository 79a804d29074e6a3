// Starting a worker: its account, folders, limits and environment.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "guest/worker/appliance_folder.hpp"
#include "guest/worker/setup.hpp"
#include "guest/worker/start.hpp"
#include "vmpatch/core/confine.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/programs.hpp"

namespace vmpatch::guest::worker {
namespace {

/// Above the reader's own limit: it only ends one that answers nothing.
constexpr Seconds direct_opening{120};

Result<void> give_to(const fs::path& path, const std::optional<Credentials>& account) {
  if (account && ::lchown(path.c_str(), account->uid, account->gid) != 0) {
    return errno_error(errno, fmt::format("cannot give {} to the unprivileged account", path.string()));
  }
  return {};
}

Result<fs::path> make_worker_folder(const fs::path& work_dir, const std::optional<Credentials>& account) {
  VMPATCH_CHECK(make_dirs(work_dir, 0700, Lifetime::scratch));
  std::string pattern = (work_dir / "guest-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) return errno_error(errno, fmt::format("cannot make a folder in {}", work_dir.string()));
  VMPATCH_CHECK(give_to(pattern, account));
  return fs::path(pattern);
}

/// The sockets are for this account alone.
std::optional<Credentials> account_of(const OpenRequest& request) {
  const auto& account = request.disks.front().source.account;
  return account ? account : worker_credentials();
}

Result<Setup> make_setup(const OpenRequest& request, bool write, const fs::path& tmp) {
  Setup setup;
  setup.disks = request.disks;
  setup.payload = request.payload_disk;
  setup.tmp = tmp;
  setup.run_as = account_of(request);
  setup.write = write;
  setup.timeout = request.timeout;
  VMPATCH_TRY(setup.appliance, ready_appliance(request.cache_dir));
  VMPATCH_TRY(const AcceleratorAnswer answer, find_accelerator(request.cache_dir));
  setup.accelerator = answer.accelerator;
  if (answer.accelerator == Accelerator::kvm && setup.run_as) setup.kvm_group = kvm_group();
  return setup;
}

}  // namespace

Result<void> RemoteGuest::take_opened(const Frame& answer) {
  const auto hibernated = answer.header.find("hibernated");
  if (hibernated == answer.header.end() || !hibernated->is_boolean() || answer.blobs.size() != 1 || answer.blobs[0].size() > 4096) {
    return distrust(fail(Errc::failed, "open: a malformed answer"));
  }
  hibernated_ = hibernated->get<bool>();
  access_ = answer.blobs[0];
  return {};
}

Result<void> RemoteGuest::open_direct(const OpenRequest& request) {
  auto* prepared = dynamic_cast<StartedWorker*>(request.prepared.get());
  if (prepared != nullptr && prepared->socket) {
    socket_ = std::move(prepared->socket);
    child_ = std::move(prepared->child);
  } else {
    VMPATCH_TRY(StartedWorker started, start_confined(direct_program, request.log_fd));
    socket_ = std::move(started.socket);
    child_ = std::move(started.child);
  }
  Frame frame;
  frame.header["disks"] = Json::array();
  std::vector<UniqueFd> connections;
  std::vector<int> descriptors;
  for (const GuestDisk& disk : request.disks) {
    VMPATCH_TRY(UniqueFd connection, image::connect(disk.source));
    frame.header["disks"].push_back({{"name", disk.source.name}, {"size", disk.source.size}});
    descriptors.push_back(connection.get());
    connections.push_back(std::move(connection));
  }
  const Deadline deadline = std::chrono::steady_clock::now() + std::min(request.timeout, direct_opening);
  auto sent = send_frame(socket_.get(), frame, deadline);
  if (sent) sent = send_descriptors(socket_.get(), descriptors);
  if (!sent) return distrust(sent.error().in("open"));
  VMPATCH_TRY(const Frame answer, receive("open", deadline));
  return take_opened(answer);
}

Result<void> RemoteGuest::open_appliance(const OpenRequest& request, bool write) {
  VMPATCH_TRY(tmp_, make_worker_folder(request.work_dir, account_of(request)));
  VMPATCH_TRY(const Setup setup, make_setup(request, write, tmp_));
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return errno_error(errno, "cannot make a socket for the guest worker");
  }
  socket_.reset(ends[0]);
  UniqueFd theirs(ends[1]);
  Command command;
  VMPATCH_TRY(const auto program, internal_program("vm-patch-appliance"));
  command.argv = {program.string()};
  // As root it starts as root, enters its namespaces and changes to setup.run_as before it opens anything: see confine().
  command.env = std::map<std::string, std::string>{{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, {"LANG", "C.UTF-8"}};
  command.cwd = "/";  // its account may not be able to walk to ours
  command.limits = confined_limits(setup.run_as, rlim_t{16} << 30U);
  command.descriptors = {{theirs.get(), 3}};
  VMPATCH_TRY(child_, Child::start_logged(command, request.log_fd, "appliance"));
  theirs.reset();  // or the end of the worker would not be seen
  Frame frame;
  frame.header["setup"] = to_json(setup);
  VMPATCH_TRY(const Frame answer, call(std::move(frame), "open", request.timeout));
  return take_opened(answer);
}

Result<std::unique_ptr<RemoteGuest>> RemoteGuest::open(Kind kind, const OpenRequest& request, bool write) {
  if (request.disks.empty()) return fail(Errc::refused, "the machine has no disk to look at");
  std::unique_ptr<RemoteGuest> guest(new RemoteGuest(kind, request));
  VMPATCH_CHECK(kind == Kind::direct ? guest->open_direct(request) : guest->open_appliance(request, write));
  return guest;
}

}  // namespace vmpatch::guest::worker
