#include "vmpatch/core/interruption.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "vmpatch/core/format.hpp"

namespace vmpatch {
namespace {

/// Those whose default is the end, and which somebody sends: signal(7).
constexpr std::array signals{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU};

std::atomic<int> noted_signal{0};
std::atomic<bool> reader_gone{false};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler writes it");

std::mutex hold_mutex;
int holds = 0;
std::array<struct sigaction, signals.size()> before;

void note(int number) {
  int none = 0;
  noted_signal.compare_exchange_strong(none, number);
}

}  // namespace

SignalHold::SignalHold() {
  const std::lock_guard lock(hold_mutex);
  if (holds++ > 0) return;
  struct sigaction noting {};
  noting.sa_handler = note;
  noting.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < signals.size(); ++i) {
    ::sigaction(signals[i], nullptr, &before[i]);
    if (before[i].sa_handler == SIG_DFL) ::sigaction(signals[i], &noting, nullptr);
  }
}

SignalHold::~SignalHold() {
  const std::lock_guard lock(hold_mutex);
  // Where one was noted, the end is near and in order: another one must not come before the last word is said.
  if (--holds > 0 || noted_signal != 0) return;
  for (std::size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &before[i], nullptr);
}

Result<void> check_interruption() {
  if (const int number = noted_signal; number != 0) return fail(Errc::failed, "interrupted by SIG{}", ::sigabbrev_np(number));
  if (reader_gone) return fail(Errc::failed, "interrupted: nobody reads the messages any more (standard error is closed)");
  return {};
}

namespace {

/// Who reads may have stopped reading and not gone. While somebody asks for the end, nothing is waited for.
bool may_write() {
  constexpr int look_again = 200;  // milliseconds
  pollfd out{STDERR_FILENO, POLLOUT, 0};
  for (;;) {
    const int ready = ::poll(&out, 1, noted_signal != 0 ? 0 : look_again);
    if (ready > 0) return true;
    if ((ready == 0 || errno == EINTR) && noted_signal == 0) continue;
    return false;
  }
}

}  // namespace

void write_diagnostics(std::string_view text) {
  constexpr std::size_t most = 4096;  // so much a pipe takes at once, or none: pipe(7)
  while (!text.empty()) {
    if (!may_write()) return;
    const ssize_t written = ::write(STDERR_FILENO, text.data(), std::min(text.size(), most));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EPIPE) reader_gone = true;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void end_by_noted_signal() {
  const int number = noted_signal;
  if (number == 0) return;
  static_cast<void>(std::fflush(nullptr));
  ::signal(number, SIG_DFL);
  ::raise(number);
}

}  // namespace vmpatch
