#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <random>

#include "proof/agent.hpp"
#include "proof/evidence.hpp"
#include "proof/qemu/throw_away.hpp"
#include "proof/screen_text.hpp"
#include "proof/signs.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::proof {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

constexpr Milliseconds tick{500};
constexpr Milliseconds greeting{60'000};
constexpr Milliseconds between_questions{5'000};
/// For what is written behind the line that told.
constexpr Milliseconds afterwards{1'000};
constexpr Milliseconds picture{20'000};

class Watch {
 public:
  Watch(const BootRequest& request, ThrowAway& machine)
      : request_(request), machine_(machine), begun_(SteadyClock::now()), talk_(std::random_device()()),
        text_([this](std::string_view line) { take_line(line); }, [this](std::string_view line) { take(read_prompt(line)); }) {}

  Result<BootReport> run() {
    VMPATCH_CHECK(greet());
    VMPATCH_CHECK(watch_until(begun_ + request_.timeout));
    if (!up_ && lost_.empty() && !gone_) VMPATCH_CHECK(ask_to_switch_off());
    report_.up = up_;
    report_.took = std::chrono::round<Seconds>(SteadyClock::now() - begun_);
    if (up_) return std::move(report_);
    report_.reason = reason();
    VMPATCH_CHECK(keep_evidence());
    return std::move(report_);
  }

 private:
  Error explain(const Error& error) {
    machine_.take_messages();
    if (!machine_.monitor().broken() || error.code == Errc::timeout) return error;
    const auto code = machine_.wait(Milliseconds(2'000));
    machine_.take_messages();
    return fail(Errc::failed, "QEMU ended with code {}: {}", code ? *code : -1, machine_.last_message().empty() ? "it left no message" : machine_.last_message());
  }

  Result<void> greet() {
    if (auto ready = machine_.monitor().negotiate(greeting); !ready) return explain(ready.error()).in("start the machine");
    return {};
  }

  void take(const Reading& reading) {
    if (reading.meaning == Meaning::up) up_ = Sign::login_prompt;
    if (reading.meaning == Meaning::failed && lost_.empty()) lost_ = reading.reason;
    if (reading.meaning == Meaning::hint) hint_ = reading.reason;
  }

  void take_line(std::string_view line) {
    evidence_.add(line);
    take(read_line(line));
  }

  /// Nothing: it has closed its end.
  std::optional<std::string> receive(int fd) {
    std::array<char, 16384> chunk;
    const ssize_t n = ::recv(fd, chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (n > 0) return std::string(chunk.data(), static_cast<std::size_t>(n));
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return std::string();
    return std::nullopt;
  }

  void ask_agent() {
    if (machine_.agent() < 0 || SteadyClock::now() < next_question_) return;
    next_question_ = SteadyClock::now() + between_questions;
    const std::string question = talk_.question();
    // Where nobody takes it, it waits in the socket, or there is no room for more.
    static_cast<void>(::send(machine_.agent(), question.data(), question.size(), MSG_DONTWAIT | MSG_NOSIGNAL) == 0);
  }

  /// Of console and agent; the monitor's events are only taken off.
  void look(const std::array<pollfd, 4>& watched) {
    if (watched[0].revents != 0) {
      const auto bytes = receive(machine_.console());
      if (bytes) text_.feed(*bytes);
      if (!bytes) machine_.close_console();
    }
    if (watched[1].revents != 0) {
      const auto bytes = receive(machine_.agent());
      if (bytes && talk_.feed(*bytes)) up_ = Sign::agent;
      if (!bytes) machine_.close_agent();
    }
    if (watched[2].revents != 0 && !machine_.monitor().take_events()) gone_ = machine_.monitor().broken();
    if (watched[3].revents != 0) machine_.take_messages();
  }

  /// Until something is sure, QEMU has ended, or this time has come.
  Result<void> watch_until(SteadyClock::time_point end) {
    std::optional<SteadyClock::time_point> settled;
    while (!up_ && !gone_) {
      const auto now = SteadyClock::now();
      if (!lost_.empty() && !settled) settled = now + afterwards;
      const auto until = std::min(end, settled.value_or(end));
      if (now >= until) return {};
      if (request_.keep_going) VMPATCH_CHECK(request_.keep_going());
      ask_agent();
      std::array<pollfd, 4> watched{pollfd{machine_.console(), POLLIN, 0}, pollfd{machine_.agent(), POLLIN, 0}, pollfd{machine_.monitor().descriptor(), POLLIN, 0},
                                    pollfd{machine_.messages(), POLLIN, 0}};
      const auto left = std::min<Milliseconds>(tick, std::chrono::ceil<Milliseconds>(until - now));
      if (::poll(watched.data(), watched.size(), static_cast<int>(left.count())) > 0) look(watched);
    }
    return {};
  }

  Result<void> ask_to_switch_off() {
    timed_out_ = true;
    take_picture();
    if (!machine_.monitor().execute("system_powerdown")) return {};
    VMPATCH_CHECK(watch_until(SteadyClock::now() + request_.power_down));
    if (!gone_ || up_ || !lost_.empty()) return {};
    const auto code = machine_.wait(Milliseconds(5'000));
    report_.switched_off = code && *code == 0;
    return {};
  }

  [[nodiscard]] std::string reason() {
    if (!lost_.empty()) return lost_;
    if (timed_out_) {
      const std::string why = hint_.empty() ? evidence_.last_line() : hint_;
      return fmt::format("no sign of it after {} s: no guest agent, no login prompt on the serial console{}", request_.timeout.count(),
                         why.empty() ? ", which stayed empty" : fmt::format("; there stands \"{}\"", why));
    }
    const auto code = machine_.wait(Milliseconds(5'000));
    machine_.take_messages();
    if (code && *code == 0) return "it switched itself off before it was up";
    return fmt::format("QEMU ended with code {}: {}", code ? *code : -1, machine_.last_message());
  }

  /// Whether QEMU has written a picture of this kind.
  bool take_picture_as(const char* format, const fs::path& path) {
    const UniqueFd file(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
    constexpr int set = 100;
    auto& monitor = machine_.monitor();
    const bool taken = file && monitor.execute("add-fd", Json{{"fdset-id", set}}, file.get()) &&
                       monitor.execute("screendump", Json{{"filename", fmt::format("/dev/fdset/{}", set)}, {"format", format}}, -1, picture);
    if (!monitor.broken()) static_cast<void>(monitor.execute("remove-fd", Json{{"fdset-id", set}}).has_value());
    struct stat info {};
    if (taken && ::fstat(file.get(), &info) == 0 && info.st_size > 0) return true;
    if (file) ::unlink(path.c_str());
    return false;
  }

  /// What the machine's screen shows. Builds of QEMU without libpng know only PPM.
  void take_picture() {
    if (pictured_ || gone_) return;
    pictured_ = true;
    for (const char* format : {"png", "ppm"}) {
      const fs::path path = fmt::format("{}.screen.{}", request_.evidence.string(), format);
      if (machine_.monitor().broken() || !take_picture_as(format, path)) continue;
      report_.evidence.push_back(path);
      return;
    }
  }

  Result<void> keep_evidence() {
    take_picture();
    if (!text_.rest().empty()) evidence_.add(text_.rest());
    const fs::path path = request_.evidence.string() + ".console";
    VMPATCH_CHECK(evidence_.write(path));
    report_.evidence.insert(report_.evidence.begin(), path);
    return {};
  }

  const BootRequest& request_;
  ThrowAway& machine_;
  SteadyClock::time_point begun_;
  SteadyClock::time_point next_question_{};
  AgentTalk talk_;
  ScreenText text_;
  Evidence evidence_;
  BootReport report_;
  std::optional<Sign> up_;
  std::string lost_, hint_;
  bool gone_ = false, timed_out_ = false, pictured_ = false;
};

}  // namespace

Result<BootReport> boot(const BootRequest& request) {
  VMPATCH_TRY(auto machine, ThrowAway::start(request));
  return Watch(request, machine).run();
}

}  // namespace vmpatch::proof
