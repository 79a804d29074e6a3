#include "image/qemu/worker.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/log_pump.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::image {
namespace {

constexpr std::chrono::milliseconds start_timeout{30'000};
constexpr std::chrono::milliseconds end_timeout{120'000};  // closing flushes caches to the disk
constexpr int monitor_fd = 3;

/// The build for microVMs starts in a fraction of the time: it has few devices and libraries, and the same block layer,
/// but for zstd. "-accel qtest": no translator is set up for a machine that never runs.
constexpr const char* small_qemu = "/usr/bin/qemu-system-x86_64-microvm";

Command qemu_command(int monitor, bool small) {
  Command command;
  command.argv = {small ? small_qemu : "qemu-system-x86_64", "-machine", "none", "-nodefaults", "-no-user-config",
                  "-display", "none", "-chardev", fmt::format("socket,id=monitor,fd={}", monitor_fd),
                  "-mon", "chardev=monitor,mode=control"};
  if (small) command.argv.insert(command.argv.end(), {"-accel", "qtest"});
  // Its buffers (up to 2 MiB a request) come from memory that it has already, instead of new pages for each request.
  command.env = std::map<std::string, std::string>{{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                                                   {"LC_ALL", "C"},
                                                   {"MALLOC_ARENA_MAX", "1"},
                                                   {"MALLOC_MMAP_THRESHOLD_", "4194304"},
                                                   {"MALLOC_TRIM_THRESHOLD_", "33554432"}};
  command.cwd = "/";
  command.descriptors = {{monitor, monitor_fd}};
  // A forged image may ask for gigabytes (a small file may announce tables of any size, and QEMU allocates them).
  command.limits = {{RLIMIT_AS, rlim_t{4} << 30U}, {RLIMIT_CORE, 0}, {RLIMIT_NOFILE, 1024}};
  return command;
}

/// Compiled once a process.
Result<const SystemCallFilter*> filter() {
  static const Result<SystemCallFilter> compiled = deny_escape();
  VMPATCH_CHECK(compiled);
  return &*compiled;
}

}  // namespace

Worker::Worker(Child child, Qmp qmp, UniqueFd messages, int log_fd)
    : child_(std::move(child)), qmp_(std::move(qmp)), messages_(std::move(messages)), log_fd_(log_fd) {}

Result<Worker> Worker::start(int log_fd, bool reading, const std::optional<Credentials>& account) {
  std::array<int, 2> sockets{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
    return errno_error(errno, "make the monitor socket for QEMU");
  }
  UniqueFd ours(sockets[0]);
  UniqueFd theirs(sockets[1]);
  // Non-blocking on both ends: a QEMU that floods its log loses messages, instead of filling memory or stopping.
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) return errno_error(errno, "make the log pipe for QEMU");
  UniqueFd reader(pipe[0]);
  UniqueFd writer(pipe[1]);

  Command command = qemu_command(theirs.get(), reading && ::access(small_qemu, X_OK) == 0);
  command.run_as = account;
  VMPATCH_TRY(command.filter, filter());
  auto child = Child::start(command, writer.get());
  if (!child) return child.error().in("start the block server");
  theirs.reset();
  writer.reset();
  return Worker(std::move(*child), Qmp(std::move(ours)), std::move(reader), log_fd);
}

Result<void> Worker::greet() {
  if (greeted_) return {};
  if (auto ready = qmp_.negotiate(start_timeout); !ready) return explain(ready.error()).in("start the block server");
  greeted_ = true;
  return {};
}

std::string Worker::take_messages() {
  std::string text;
  std::array<char, 4096> chunk;
  for (ssize_t n = 0; text.size() < (256U << 10U) && (n = ::read(messages_.get(), chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<std::size_t>(n));
  }
  std::string joined;
  for (const auto raw : split(text, '\n')) {
    if (trim(raw).empty()) continue;
    last_line_ = escape_untrusted(trim(raw));
    joined += (joined.empty() ? "" : "; ") + last_line_;
    if (log_fd_ >= 0) append_to_log(log_fd_, "qemu: " + last_line_ + "\n", LogShare::others);
  }
  return joined;
}

Error Worker::explain(const Error& error) {
  static_cast<void>(take_messages());
  if (!qmp_.broken() || error.code == Errc::timeout) return error;
  // The socket closes a moment before the process can be reaped.
  const auto code = child_.wait(std::chrono::milliseconds(2'000));
  static_cast<void>(take_messages());
  if (!code) return error;
  return fail(Errc::failed, "the block server (QEMU) ended with code {}: {}", *code,
              last_line_.empty() ? "it left no message" : last_line_);
}

Result<Json> Worker::execute(std::string_view command, const Json& arguments, int pass_fd) {
  VMPATCH_CHECK(greet());
  auto reply = qmp_.execute(command, arguments, pass_fd);
  if (!reply) return explain(reply.error());
  return reply;
}

Result<void> Worker::wait_for_event(std::chrono::milliseconds timeout) {
  auto waited = qmp_.wait_for_event(timeout);
  if (!waited) return explain(waited.error());
  return waited;
}

Result<void> Worker::quit() {
  VMPATCH_CHECK(greet());
  // The reply may be lost when QEMU is quick; the exit code tells.
  if (auto reply = qmp_.execute("quit"); !reply && !qmp_.broken()) return reply.error();
  const auto code = child_.wait(end_timeout);
  const std::string messages = take_messages();
  if (!code) return code.error().in("end the block server");
  if (*code != 0) {
    return fail(Errc::failed, "the block server (QEMU) ended with code {}: {}", *code,
                messages.empty() ? last_line_ : messages);
  }
  return {};
}

}  // namespace vmpatch::image
