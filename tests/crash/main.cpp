// vm-patch that dies by SIGKILL, or meets an error, at a chosen point of a run. See README.md for the variables.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include "app/application.hpp"
#include "support/text_guest.hpp"
#include "vmpatch/core/programs.hpp"
#include "vmpatch/fleet/engine_setup.hpp"

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

[[noreturn]] void die() {
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

void die_later(std::chrono::milliseconds delay) {
  std::thread([delay] {
    std::this_thread::sleep_for(delay);
    die();
  }).detach();
}

timespec modified(const std::string& file) {
  struct stat info {};
  return ::stat(file.c_str(), &info) == 0 ? info.st_mtim : timespec{};
}

void die_after_write(const std::string& file, std::chrono::milliseconds delay) {
  std::thread([file, delay, before = modified(file)] {
    for (;;) {
      const auto now = modified(file);
      if (now.tv_sec != before.tv_sec || now.tv_nsec != before.tv_nsec) break;
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    std::this_thread::sleep_for(delay);
    die();
  }).detach();
}

class Crash {
 public:
  Crash() : at_(variable("VMPATCH_CRASH_AT")), error_at_(variable("VMPATCH_ERROR_AT")), command_(variable("VMPATCH_AT_TRANSITION")) {
    const auto delay = variable("VMPATCH_CRASH_AFTER_MS");
    if (!delay.empty()) delay_ = std::chrono::milliseconds(std::stoul(delay));
  }

  void start() {
    in_state_ = at_ == "during:start";
    if (in_state_) die_later(delay_);
    if (at_ == "during:write") die_after_write(variable("VMPATCH_CRASH_FILE"), delay_);
  }

  vmpatch::Result<void> transition(std::string_view when, std::string_view state) {
    const auto point = std::string(when) + ":" + std::string(state);
    if (signal_at_ == point) ::kill(::getpid(), std::stoi(variable("VMPATCH_SIGNAL")));
    // Once: what is done about it may pass the same point.
    if (error_at_ == point && !std::exchange(error_seen_, true)) return vmpatch::make_error(vmpatch::Errc::failed, "an error " + point + ", as wished");
    if (!command_.empty() && std::system((command_ + " " + point).c_str()) != 0) die();
    // A run that is quicker than the delay dies at the next transition: it never gets away.
    if ((point == at_ && (!after_error_ || error_seen_)) || (in_state_ && when == "before")) die();
    if (at_ == "during:write" && point == "before:committed") die();
    if (when == "after" && at_ == "during:" + std::string(state) && (!after_error_ || error_seen_)) {
      in_state_ = true;
      die_later(delay_);
    }
    return {};
  }

 private:
  std::string at_;
  std::string signal_at_ = variable("VMPATCH_SIGNAL_AT");
  std::string error_at_;
  bool error_seen_ = false;
  bool after_error_ = !variable("VMPATCH_CRASH_AFTER_ERROR").empty();
  std::string command_;
  std::chrono::milliseconds delay_{0};
  bool in_state_ = false;
};

vmpatch::guest::TextGuestOptions text_guest_options() {
  vmpatch::guest::TextGuestOptions options;
  options.needs_appliance = !variable("VMPATCH_NEEDS_APPLIANCE").empty();
  options.hibernated = !variable("VMPATCH_HIBERNATED").empty();
  if (const auto command = variable("VMPATCH_AT_READ"); !command.empty()) {
    options.at_read = [command] {
      if (std::system(command.c_str()) != 0) die();
    };
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  vmpatch::set_internal_program_dir(VMPATCH_BINARY_DIR "/bin");
  static Crash crash;
  vmpatch::fleet::set_transition_hook([](std::string_view when, std::string_view state) { return crash.transition(when, state); });
  if (variable("VMPATCH_GUEST") == "text") {
    vmpatch::fleet::set_guest_opener([](vmpatch::Log&) { return vmpatch::guest::make_text_guest_opener(text_guest_options()); });
  }
  crash.start();
  return vmpatch::app::run_application(argc, argv);
}
