// The process boundary with real processes: who they are, what they can reach, and that they end. Four appliance launches.
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <set>
#include <thread>

#include "contract/guest/small_guest.hpp"
#include "guest/worker/appliance_folder.hpp"
#include "guest/worker/remote_guest.hpp"
#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/programs.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::test {
namespace {

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  uid_t uid = 0;
  std::string name;
};

/// Status file of a process: "Name:\tqemu-…", "PPid:\t1", "Uid:\t65534 …".
std::optional<Process> look_at(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  Process process;
  process.pid = pid;
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "Name:") words >> process.name;
    if (key == "PPid:") words >> process.parent;
    if (key == "Uid:") words >> process.uid;
  }
  return process.name.empty() ? std::nullopt : std::optional(process);
}

/// Everything below `root`, itself included.
std::vector<Process> family(pid_t root) {
  std::vector<Process> all;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (auto process = look_at(static_cast<pid_t>(std::stol(name)))) all.push_back(*process);
  }
  std::set<pid_t> members{root};
  for (bool grown = true; grown;) {
    grown = false;
    for (const Process& p : all) grown = (members.contains(p.parent) && members.insert(p.pid).second) || grown;
  }
  std::erase_if(all, [&](const Process& p) { return !members.contains(p.pid); });
  return all;
}

bool nothing_left(const ServedGuest& served) {
  const fs::path work = served.dir / "work";
  return !fs::exists(work) || fs::is_empty(work);
}

/// The block server is a QEMU too: `except`.
std::optional<Process> qemu_below(pid_t root, pid_t except = 0) {
  for (const Process& p : family(root)) {
    if (p.name.starts_with("qemu-system") && p.pid != except) return p;
  }
  return std::nullopt;
}

std::string link_of(pid_t pid, const std::string& what) {
  std::error_code error;
  return fs::read_symlink("/proc/" + std::to_string(pid) + "/" + what, error).string();
}

bool is_gone(pid_t pid) {
  const auto process = look_at(pid);
  if (!process) return true;
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  const std::string text((std::istreambuf_iterator<char>(stat)), {});
  const auto end = text.rfind(')');
  return end == std::string::npos || text.substr(end).starts_with(") Z");
}

/// The limit only bounds a failure.
bool gone_soon(pid_t pid) {
  for (int i = 0; i < 1000 && !is_gone(pid); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return is_gone(pid);
}

/// Opens an appliance in a process of its own, tells its worker's pid, and waits to be killed.
[[noreturn]] void hold_appliance(const OpenRequest& request, int report) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto guest = worker::RemoteGuest::open(worker::Kind::appliance, request, false);
  const pid_t worker = guest ? (*guest)->worker_pid() : -1;
  if (!guest) static_cast<void>(write_all(STDERR_FILENO, guest.error().message + "\n").has_value());
  if (::write(report, &worker, sizeof worker) != sizeof worker) ::_exit(1);
  ::pause();
  ::_exit(1);
}

TEST(Worker, is_unprivileged_without_network_and_everything_dies_with_its_killed_parent) {
  ServedGuest served;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t holder = ::fork();
  ASSERT_GE(holder, 0);
  if (holder == 0) hold_appliance(served.read, ends[1]);
  ::close(ends[1]);
  pid_t worker = -1;
  ASSERT_EQ(::read(ends[0], &worker, sizeof worker), static_cast<ssize_t>(sizeof worker));
  ::close(ends[0]);
  ASSERT_GT(worker, 0);
  const auto qemu = qemu_below(worker);
  ASSERT_TRUE(qemu.has_value());
  EXPECT_NE(qemu->uid, 0U);
  const std::string arguments = read_file("/proc/" + std::to_string(qemu->pid) + "/cmdline").value();
  EXPECT_TRUE(arguments.find("tb-size=") != std::string::npos || arguments.find("accel=kvm") != std::string::npos) << "nothing bounds translated code";
  if (::geteuid() == 0) {
    EXPECT_NE(link_of(qemu->pid, "ns/net"), link_of(::getpid(), "ns/net"));
    EXPECT_NE(link_of(qemu->pid, "ns/pid"), link_of(::getpid(), "ns/pid"));
    EXPECT_NE(link_of(qemu->pid, "ns/mnt"), link_of(::getpid(), "ns/mnt"));
    std::istringstream network(read_file("/proc/" + std::to_string(qemu->pid) + "/net/dev").value());
    std::vector<std::string> interfaces;
    for (std::string line; std::getline(network, line);) {
      if (const auto colon = line.find(':'); colon != std::string::npos) interfaces.push_back(std::string(trim(line.substr(0, colon))));
    }
    EXPECT_EQ(interfaces, std::vector<std::string>{"lo"});
  }
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(qemu->pid) + "/fd")) {
    std::error_code error;
    const std::string target = fs::read_symlink(entry.path(), error).string();
    EXPECT_EQ(target.find("disk.raw"), std::string::npos) << target;
  }
  const auto members = family(worker);
  ASSERT_EQ(::kill(holder, SIGKILL), 0);
  ASSERT_EQ(::waitpid(holder, nullptr, 0), holder);
  for (const Process& member : members) EXPECT_TRUE(gone_soon(member.pid)) << member.name << " " << member.pid;
  if (::geteuid() != 0) return;
  // Its folder remains for the next clean-up of the run, but with nothing in it.
  for (const auto& entry : fs::recursive_directory_iterator(served.dir / "work")) EXPECT_TRUE(entry.is_directory()) << entry.path();
}

/// A file system of a few MiB, in memory, that this process alone sees.
struct SmallFileSystem {
  TempDir dir;
  SmallFileSystem() {
    EXPECT_EQ(::unshare(CLONE_NEWNS), 0);
    EXPECT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    EXPECT_EQ(::mount("small", dir.path().c_str(), "tmpfs", 0, "size=8m,mode=0755"), 0);
  }
  SmallFileSystem(const SmallFileSystem&) = delete;
  SmallFileSystem& operator=(const SmallFileSystem&) = delete;
  ~SmallFileSystem() { ::umount2(dir.path().c_str(), MNT_DETACH); }
};

void work_on_a_small_host() {
  const SmallFileSystem small;
  ServedGuest served;
  auto overlay = ServedGuest::take(image::create_own_image(small.dir / "overlay.qcow2", served.chain->virtual_size(), &served.chain->top()));
  auto request = served.request(ServedGuest::take(served.server->export_overlay(*served.chain, overlay, "small", true)), false);
  ServedGuest::take(worker::ready_appliance(request.cache_dir));
  // Whatever a worker writes into a file, be that in memory, is limited to a part of what will be hashed.
  const rlimit limit{32U << 20U, 32U << 20U};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::optional<int> questions_left;
  request.keep_going = [&]() -> Result<void> {
    if (questions_left && --*questions_left < 0) return fail(Errc::failed, "asked to end");
    return {};
  };
  auto guest = worker::RemoteGuest::open(worker::Kind::appliance, request, true);
  ASSERT_TRUE(guest.has_value()) << guest.error().message;

  // A hole costs the guest nothing.
  constexpr std::uint64_t hole = 96U << 20U;
  const auto made = (*guest)->command({"/bin/sh", "-c", "dd if=/dev/null of=/srv/hole bs=1 seek=" + std::to_string(hole) + " 2>/dev/null"}, {}, Seconds(60));
  ASSERT_TRUE(made.has_value() && made->exit_code == 0) << (made ? made->output : made.error().message);
  const auto digests = (*guest)->digests({"/srv/hole"});
  ASSERT_TRUE(digests.has_value()) << digests.error().message;
  EXPECT_EQ(digests->front(), sha256(std::string(hole, '\0')));

  // More than there is room for. QEMU's default would be to stop the appliance and wait for ever.
  const auto filled = (*guest)->command({"/bin/sh", "-c", "dd if=/dev/urandom of=/srv/filler bs=1M count=32 conv=fsync"}, {}, Seconds(100));
  ASSERT_TRUE(filled.has_value()) << filled.error().message;
  EXPECT_NE(filled->exit_code, 0) << filled->output;

  questions_left = 2;
  const auto ended = (*guest)->command({"/bin/sleep", "3000"}, {}, Seconds(3600));
  ASSERT_FALSE(ended.has_value());
  EXPECT_NE(ended.error().message.find("asked to end"), std::string::npos) << ended.error().message;
}

// One launch for three things: memory of the host, room on it, and somebody who does not want to wait any more. In a process of its own, which
// is limited for good.
TEST(Appliance, hashes_large_files_in_pieces_a_full_host_is_an_error_of_what_writes_and_who_is_asked_to_end_does) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount";
  const pid_t child = ::fork();
  if (child == 0) {
    work_on_a_small_host();
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Appliance, waits_for_no_fifo_in_the_place_of_the_mount_table) {
  ServedGuest served([](const fs::path& root) {
    fs::remove(root / "etc/fstab");
    ASSERT_EQ(::mkfifo((root / "etc/fstab").c_str(), 0644), 0);
  });
  const auto direct = make_direct_opener(served.log)->open_read(served.read);
  ASSERT_FALSE(direct.has_value());
  EXPECT_NE(direct.error().message.find("/etc/fstab"), std::string::npos) << direct.error().message;
  const auto appliance = make_appliance_opener(served.log)->open_read(served.read);
  ASSERT_FALSE(appliance.has_value());
  EXPECT_EQ(appliance.error().code, Errc::failed) << appliance.error().message;
  EXPECT_NE(appliance.error().message.find("/etc/fstab: not a regular file"), std::string::npos) << appliance.error().message;
}

TEST(Worker, killed_worker_is_an_error_of_every_later_call) {
  ServedGuest served;
  auto guest = worker::RemoteGuest::open(worker::Kind::direct, served.read, false);
  ASSERT_TRUE(guest.has_value()) << guest.error().message;
  EXPECT_EQ((*guest)->read("/srv/hello", 10).value(), "hello\n");
  const auto members = family((*guest)->worker_pid());
  ASSERT_EQ(::kill((*guest)->worker_pid(), SIGKILL), 0);
  for (const Process& member : members) ASSERT_TRUE(gone_soon(member.pid)) << member.name;
  for (int i = 0; i < 2; ++i) {
    const auto content = (*guest)->read("/srv/hello", 10);
    ASSERT_FALSE(content.has_value());
    EXPECT_EQ(content.error().code, Errc::failed);
    EXPECT_NE(content.error().message.find("guest worker (direct) was ended"), std::string::npos) << content.error().message;
  }
  guest->reset();
  EXPECT_TRUE(nothing_left(served));
}

TEST(Worker, direct_worker_is_unprivileged_and_cannot_write) {
  ServedGuest served;
  auto guest = worker::RemoteGuest::open(worker::Kind::direct, served.read, false);
  ASSERT_TRUE(guest.has_value()) << guest.error().message;
  const auto members = family((*guest)->worker_pid());
  ASSERT_EQ(members.size(), 1U);
  EXPECT_TRUE(::geteuid() != 0 || members[0].uid != 0U);
  const std::string status = read_file("/proc/" + std::to_string(members[0].pid) + "/status").value();
  EXPECT_NE(status.find("\nNoNewPrivs:\t1\n"), std::string::npos) << status;
  EXPECT_NE(status.find("\nSeccomp:\t2\n"), std::string::npos) << status;
  EXPECT_NE(status.find("\nCapEff:\t0000000000000000\n"), std::string::npos) << status;
  const std::string limits = read_file("/proc/" + std::to_string(members[0].pid) + "/limits").value();
  EXPECT_NE(limits.find("Max cpu time              300 "), std::string::npos) << limits;
  EXPECT_EQ((*guest)->write("/x", "y").error().code, Errc::unsupported);
  EXPECT_TRUE((*guest)->finish().has_value());
  EXPECT_TRUE(nothing_left(served));
}

TEST(Worker, error_of_the_adapter_comes_back_as_it_is) {
  ServedGuest served;
  const fs::path empty = served.dir.write("empty.raw", "");
  fs::resize_file(empty, 8U << 20U);
  const auto chain = ServedGuest::take(image::Chain::open(empty, image::Format::raw, {}));
  const auto request = served.request(ServedGuest::take(served.server->export_chain(chain, "empty")), true);
  const auto guest = make_direct_opener(served.log)->open_read(request);
  ASSERT_FALSE(guest.has_value());
  EXPECT_TRUE(guest.error().code == Errc::refused || guest.error().code == Errc::unsupported) << guest.error().message;
  EXPECT_TRUE(nothing_left(served));
}

TEST(Worker, program_that_is_no_worker_is_an_error) {
  ServedGuest served;
  const TempDir programs;
  fs::create_symlink("/bin/true", programs / "vm-patch-guest");
  set_internal_program_dir(programs.path());
  const auto guest = make_direct_opener(served.log)->open_read(served.read);
  set_internal_program_dir(VMPATCH_BINARY_DIR "/bin");
  ASSERT_FALSE(guest.has_value());
  EXPECT_EQ(guest.error().code, Errc::failed);
}

TEST(Opener, reads_directly_and_starts_an_appliance_only_for_what_needs_one) {
  ServedGuest served;
  auto guest = make_guest_opener(served.log)->open_read(served.read);
  ASSERT_TRUE(guest.has_value()) << guest.error().message;
  EXPECT_TRUE((*guest)->access().starts_with("direct")) << (*guest)->access();
  EXPECT_EQ((*guest)->read("/srv/hello", 10).value(), "hello\n");
  EXPECT_EQ((*guest)->augeas_get("/etc/ssh/sshd_config", "sshd", "PermitRootLogin").value(), "yes");
  EXPECT_FALSE(qemu_below(::getpid(), served.server->pid()).has_value());
  EXPECT_EQ((*guest)->access().find("appliance"), std::string::npos) << (*guest)->access();
  // Too large for Augeas outside of an appliance; the answer comes from there.
  const auto answer = (*guest)->augeas_get("/srv/large", "no_such_lens", "x");
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Errc::failed) << answer.error().message;
  EXPECT_NE((*guest)->access().find("appliance"), std::string::npos) << (*guest)->access();
  EXPECT_TRUE((*guest)->finish().has_value());
  EXPECT_TRUE(nothing_left(served));
}

TEST(Accelerator, answer_is_remembered_until_the_host_changes) {
  const TempDir dir;
  const auto first = find_accelerator(dir.path());
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_FALSE(first->remembered);
  EXPECT_FALSE(first->reason.empty());
  const auto second = find_accelerator(dir.path());
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(second->remembered);
  EXPECT_EQ(second->accelerator, first->accelerator);
  EXPECT_EQ(second->reason, first->reason);
}

TEST(Accelerator, answer_of_another_boot_or_a_broken_one_is_not_believed) {
  const TempDir dir;
  ASSERT_TRUE(find_accelerator(dir.path()).has_value());
  const fs::path file = dir / "accelerator.json";
  const auto text = read_file(file);
  auto json = parse_json(*text, "answer");
  ASSERT_TRUE(json.has_value());
  (*json)["key"]["boot_id"] = "another";
  ASSERT_TRUE(write_file_atomic(file, dump_json(*json)).has_value());
  EXPECT_FALSE(find_accelerator(dir.path())->remembered);
  ASSERT_TRUE(write_file_atomic(file, "{").has_value());
  EXPECT_FALSE(find_accelerator(dir.path())->remembered);
}

}  // namespace
}  // namespace vmpatch::guest::test
