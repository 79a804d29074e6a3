#include "gate/hook/errand.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::gate {
namespace {

using Length = std::uint32_t;
constexpr std::size_t largest_message = 16U << 20U;
constexpr int writer_number = 3;

/// Standard streams lead nowhere, and of all descriptors only the pipe is left, as number 3.
bool let_go_of_everything(int writer) {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return false;
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (null != stream && ::dup2(null, stream) < 0) return false;
  }
  if (writer != writer_number && ::dup2(writer, writer_number) < 0) return false;
  ::close_range(writer_number + 1, ~0U, 0);  // before Linux 5.9 our own databases stay open, and nothing of libvirt's
  return true;
}

void send(std::string_view message) {
  const auto size = static_cast<Length>(std::min(message.size(), largest_message));
  std::string frame(sizeof size, '\0');
  std::memcpy(frame.data(), &size, sizeof size);
  frame.append(message.substr(0, size));
  // Nobody to send to any more: nothing that follows matters.
  if (!write_all(writer_number, frame)) ::_exit(1);
}

[[noreturn]] void run_child(pid_t parent, int writer, const std::function<void(const Errand::Send&)>& work) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent || !let_go_of_everything(writer)) ::_exit(1);
  try {
    work(send);
  } catch (...) {
    ::_exit(1);
  }
  // No destructors of the parent's objects.
  ::_exit(0);
}

}  // namespace

Result<Errand> Errand::start(const std::function<void(const Send&)>& work) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error(errno, "cannot make a pipe");
  UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return errno_error(errno, "cannot start a child process");
  if (child == 0) run_child(parent, writer.get(), work);
  return Errand(child, std::move(reader));
}

Errand::Errand(Errand&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), reader_(std::move(other.reader_)), received_(std::move(other.received_)) {}

Errand::~Errand() {
  // Not reaped, so that nobody else can have its number.
  if (pid_ > 0) ::kill(pid_, SIGKILL);
}

Result<bool> wait_readable(int fd, SteadyTime deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd entry{fd, POLLIN, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000)));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return errno_error(errno, "cannot wait for input");
  }
}

/// False: it ended before.
Result<bool> Errand::fill(std::size_t size, SteadyTime deadline) {
  std::array<char, 64U << 10U> buffer;
  while (received_.size() < size) {
    VMPATCH_TRY(const bool ready, wait_readable(reader_.get(), deadline));
    if (!ready) return fail(Errc::timeout, "no answer in time");
    const ssize_t got = ::read(reader_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "cannot read from a child process");
    if (got == 0) return false;
    received_.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return true;
}

Result<std::optional<std::string>> Errand::next(SteadyTime deadline) {
  Length size = 0;
  VMPATCH_TRY(bool whole, fill(sizeof size, deadline));
  if (!whole) return std::optional<std::string>();
  std::memcpy(&size, received_.data(), sizeof size);
  VMPATCH_TRY(whole, fill(sizeof size + size, deadline));
  if (!whole) return std::optional<std::string>();
  std::string message = received_.substr(sizeof size, size);
  received_.erase(0, sizeof size + size);
  return std::optional(std::move(message));
}

}  // namespace vmpatch::gate
