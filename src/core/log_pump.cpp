#include "vmpatch/core/log_pump.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "core/signals_blocked.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch {
namespace {

constexpr std::size_t longest_line = 4096;
constexpr std::uint64_t kept_for_own = 1U << 20U;
constexpr std::string_view full = "(this log is full: what follows is left out)\n";

}  // namespace

void append_to_log(int log_fd, std::string_view lines, LogShare share) {
  struct stat info {};
  if (::fstat(log_fd, &info) != 0) return;
  const std::uint64_t limit = (share == LogShare::own ? largest_log : largest_log - kept_for_own) - full.size() - 1;
  const auto size = S_ISREG(info.st_mode) ? static_cast<std::uint64_t>(info.st_size) : 0;
  // Only the line that says so leads beyond the limit: it comes once.
  if (size > limit) return;
  std::string last;
  if (lines.size() > limit - size) {
    last = fmt::format("{}\n{}", lines.substr(0, limit - size), full);
    lines = last;
  }
  // A log that cannot be written has nowhere to say so; the work goes on.
  static_cast<void>(write_all(log_fd, lines).has_value());
}

Result<std::unique_ptr<LogPump>> LogPump::start(int log_fd, std::string name) {
  // One of its own: a number that its owner has closed may be that of a disk by then.
  UniqueFd own(::fcntl(log_fd, F_DUPFD_CLOEXEC, 3));
  if (!own) return errno_error(errno, "cannot keep a log open");
  std::unique_ptr<LogPump> pump(new LogPump(own.release(), std::move(name)));
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error(errno, "cannot make a pipe for a log");
  pump->reader_.reset(ends[0]);
  pump->writer_.reset(ends[1]);
  pump->stop_.reset(::eventfd(0, EFD_CLOEXEC));
  if (!pump->stop_) return errno_error(errno, "cannot make an event for a log");
  const SignalsBlocked blocked;  // a signal is for a thread that waits for something
  try {
    pump->thread_ = std::thread([raw = pump.get()] { raw->work(); });
  } catch (const std::system_error& error) {
    return fail(Errc::failed, "cannot start a thread for a log: {}", error.what());
  }
  return pump;
}

LogPump::~LogPump() {
  const UniqueFd log(log_fd_);
  if (!thread_.joinable()) return;
  writer_.reset();
  const std::uint64_t one = 1;
  static_cast<void>(::write(stop_.get(), &one, sizeof one) == sizeof one);
  thread_.join();
}

void LogPump::take(std::string_view bytes) {
  std::string lines;
  for (const char c : bytes) {
    if (c != '\n') line_ += c;
    if (c != '\n' && line_.size() < longest_line) continue;
    if (line_.ends_with('\r')) line_.pop_back();
    if (!line_.empty()) lines += fmt::format("{}: {}\n", name_, escape_untrusted(line_));
    line_.clear();
  }
  if (!lines.empty()) append_to_log(log_fd_, lines, LogShare::others);
}

bool LogPump::take_some() {
  std::array<char, 64U << 10U> bytes;
  const ssize_t got = ::read(reader_.get(), bytes.data(), bytes.size());
  if (got > 0) take({bytes.data(), static_cast<std::size_t>(got)});
  return got > 0 || (got < 0 && errno == EINTR);
}

void LogPump::work() {
  bool stopping = false;
  for (;;) {
    std::array<pollfd, 2> watched{pollfd{reader_.get(), POLLIN, 0}, pollfd{stopping ? -1 : stop_.get(), POLLIN, 0}};
    // One pipe full at most after the word to stop: a writer that goes on is not followed.
    const int ready = ::poll(watched.data(), watched.size(), stopping ? 0 : -1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) break;
    if (watched[1].revents != 0) stopping = true;
    if (watched[0].revents != 0 && (!take_some() || stopping)) break;
  }
  take("\n");
}

}  // namespace vmpatch
