#include "gate/hook/alarm.hpp"

#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

namespace vmpatch::gate {
namespace {

constexpr time_t limit_s = 2;

// A signal handler has nothing but globals.
volatile std::sig_atomic_t alarm_exit = 1;
std::array<char, 512> alarm_message{};
std::size_t alarm_message_size = 0;

void on_alarm(int) {
  const int code = alarm_exit;
  if (code != 0 && ::write(STDERR_FILENO, alarm_message.data(), alarm_message_size) < 0) ::_exit(code);
  ::_exit(code);
}

}  // namespace

void set_alarm_exit(int exit_code) { alarm_exit = exit_code; }

void arm_alarm(int exit_code, const std::string& message) {
  alarm_exit = exit_code;
  alarm_message_size = std::min(message.size(), alarm_message.size() - 1);
  std::copy_n(message.begin(), alarm_message_size, alarm_message.begin());
  alarm_message[alarm_message_size++] = '\n';

  struct sigaction action {};
  action.sa_handler = on_alarm;
  ::sigaction(SIGALRM, &action, nullptr);
  // libvirt's children may inherit a blocked mask.
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGALRM);
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
  itimerval timer{};
  timer.it_value.tv_sec = limit_s;
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace vmpatch::gate
