#include "advisory/fetch.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>

#include "vmpatch/core/process.hpp"
#include "vmpatch/core/programs.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t longest_line = 64U << 10U;
constexpr std::size_t longest_message = 4096;
using SteadyTime = std::chrono::steady_clock::time_point;

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> env{{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C"}};
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE"}) {
    if (const char* value = std::getenv(name)) env.emplace(name, value);
  }
  return env;
}

Result<Command> make_command(const TransferRequest& request, int fd) {
  VMPATCH_TRY(const auto program, internal_program("vm-patch-fetch"));
  Command command;
  command.argv = {program.string()};
  command.input = dump_json(to_json(request));
  command.env = environment();
  command.run_as = worker_credentials();
  command.cwd = "/";
  command.descriptors = {{fd, 3}};
  command.limits = {{RLIMIT_CORE, 0}, {RLIMIT_NOFILE, 256}, {RLIMIT_FSIZE, request.max_bytes}};
#ifndef __SANITIZE_ADDRESS__  // which reserves terabytes of address space
  command.limits.emplace_back(RLIMIT_AS, rlim_t{1} << 30U);
#endif
  return command;
}

/// Messages come escaped; one that is not was made by something that took the program over.
std::string checked_message(std::string message) {
  if (message.size() > longest_message) message.resize(longest_message);
  std::string without_backslashes = message;
  std::erase(without_backslashes, '\\');
  return escape_untrusted(without_backslashes) == without_backslashes ? message : escape_untrusted(message);
}

/// The program's lines, as they come. What it says may be shaped by the server.
class Listener {
 public:
  Listener(UniqueFd pipe, const std::string& url, Log& log) : pipe_(std::move(pipe)), url_(escape_untrusted(url)), log_(log) {}

  /// Until the program closes its output.
  Result<void> listen(SteadyTime deadline) {
    std::array<char, 4096> chunk;
    for (;;) {
      const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
      if (rest <= 0) return fail(Errc::timeout, "the download takes too long");
      pollfd watched{pipe_.get(), POLLIN, 0};
      if (::poll(&watched, 1, static_cast<int>(rest)) <= 0) continue;
      const ssize_t got = ::read(pipe_.get(), chunk.data(), chunk.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return errno_error(errno, "cannot hear vm-patch-fetch");
      if (got == 0) return {};
      text_.append(chunk.data(), static_cast<std::size_t>(got));
      for (auto end = text_.find('\n'); end != std::string::npos; end = text_.find('\n')) {
        take(std::string_view(text_).substr(0, end));
        text_.erase(0, end + 1);
      }
      if (text_.size() > longest_line) return fail(Errc::failed, "vm-patch-fetch talks too much");
    }
  }

  [[nodiscard]] Result<TransferReply> reply(int exit_code) const {
    if (exit_code == 0 && last_.starts_with("result ")) {
      VMPATCH_TRY(const Json json, parse_json(std::string_view(last_).substr(7), "the reply of vm-patch-fetch"));
      return transfer_reply_from_json(json);
    }
    if (last_.starts_with("error usage ")) return fail(Errc::usage, "{}", checked_message(last_.substr(12)));
    if (last_.starts_with("error failed ")) return fail(Errc::failed, "{}", checked_message(last_.substr(13)));
    return fail(Errc::failed, "vm-patch-fetch ended with code {}: {}", exit_code, last_.empty() ? "it left no message" : escape_untrusted(last_));
  }

 private:
  void take(std::string_view line) {
    if (!line.starts_with("progress ")) {
      last_ = line;
      return;
    }
    const auto words = split(line.substr(9), ' ');
    std::array<std::uint64_t, 2> numbers{};
    for (std::size_t i = 0; i < numbers.size() && i < words.size(); ++i) {
      std::from_chars(words[i].data(), words[i].data() + words[i].size(), numbers[i]);
    }
    const std::string total = numbers[1] > 0 ? " of " + format_size(numbers[1]) : "";
    log_.info("{}: {}{}", url_, format_size(numbers[0]), total);
  }

  UniqueFd pipe_;
  std::string url_;
  Log& log_;
  std::string text_;
  std::string last_;
};

}  // namespace

Result<TransferReply> fetch(const TransferRequest& request, int fd, Log& log) {
  VMPATCH_TRY(const Command command, make_command(request, fd));
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error(errno, "make a pipe");
  Listener listener(UniqueFd(ends[0]), request.url, log);
  UniqueFd writer(ends[1]);
  VMPATCH_TRY(Child child, Child::start(command, writer.get()));
  writer.reset();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(request.timeout + 30);
  VMPATCH_CHECK(listener.listen(deadline));
  VMPATCH_TRY(const int code, child.wait(std::chrono::milliseconds(5'000)));
  return listener.reply(code);
}

}  // namespace vmpatch::advisory
