#include "vmpatch/fetch/session.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <vector>

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/programs.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::fetch {
namespace {

constexpr std::size_t longest_line = 64U << 10U;
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
  command.run_as = fresh_credentials();
  command.cwd = "/";
  command.descriptors = {{fd, 3}};
  command.limits = {{RLIMIT_CORE, 0}, {RLIMIT_NOFILE, 256}, {RLIMIT_FSIZE, 0}};
#ifndef __SANITIZE_ADDRESS__  // which reserves terabytes of address space
  command.limits.emplace_back(RLIMIT_AS, rlim_t{1} << 30U);
#endif
  return command;
}

struct Pipe {
  UniqueFd reader, writer;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error(errno, "make a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// At most one read(); nothing at the end, which closes the pipe.
Result<std::string_view> read_some(UniqueFd& pipe, std::vector<char>& buffer) {
  const ssize_t got = ::read(pipe.get(), buffer.data(), buffer.size());
  if (got < 0 && errno != EINTR) return errno_error(errno, "cannot hear vm-patch-fetch");
  if (got == 0) pipe.reset();
  return std::string_view(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
}

/// What is downloaded, as it comes.
class Content {
 public:
  Content(UniqueFd pipe, std::uint64_t max_bytes, const ContentSink& sink) : pipe_(std::move(pipe)), max_bytes_(max_bytes), sink_(sink) {}
  [[nodiscard]] int fd() const { return pipe_.get(); }

  Result<void> take_some() {
    VMPATCH_TRY(const std::string_view bytes, read_some(pipe_, buffer_));
    size_ += bytes.size();
    if (size_ > max_bytes_) return fail(Errc::failed, "it is larger than {}", format_size(max_bytes_));
    return bytes.empty() ? Result<void>{} : sink_(bytes);
  }

  /// Once the program has ended: the rest of what it wrote, without waiting for anybody who still holds its end.
  Result<void> finish(std::uint64_t size) {
    for (pollfd watched{fd(), POLLIN, 0}; size_ < size && fd() >= 0 && ::poll(&watched, 1, 0) > 0;) VMPATCH_CHECK(take_some());
    if (size_ != size) return fail(Errc::failed, "vm-patch-fetch gave {} bytes and tells of {}", size_, size);
    return {};
  }

 private:
  UniqueFd pipe_;
  std::uint64_t max_bytes_;
  const ContentSink& sink_;
  std::uint64_t size_ = 0;
  std::vector<char> buffer_ = std::vector<char>(64U << 10U);
};

/// The program's lines, as they come. What it says may be shaped by the server.
class Listener {
 public:
  Listener(UniqueFd pipe, const std::string& url, Log& log) : pipe_(std::move(pipe)), url_(escape_untrusted(url)), log_(log) {}

  /// -1 once the program has closed its output.
  [[nodiscard]] int fd() const { return pipe_.get(); }

  Result<void> take_some() {
    VMPATCH_TRY(const std::string_view bytes, read_some(pipe_, buffer_));
    text_.append(bytes);
    for (auto end = text_.find('\n'); end != std::string::npos; end = text_.find('\n')) {
      take(std::string_view(text_).substr(0, end));
      text_.erase(0, end + 1);
    }
    if (text_.size() > longest_line) return fail(Errc::failed, "vm-patch-fetch talks too much");
    return {};
  }

  [[nodiscard]] Result<TransferReply> reply(int exit_code) const {
    if (exit_code == 0 && last_.starts_with("result ")) {
      VMPATCH_TRY(const Json json, parse_json(std::string_view(last_).substr(7), "the reply of vm-patch-fetch"));
      return transfer_reply_from_json(json);
    }
    if (last_.starts_with("error usage ")) return fail(Errc::usage, "{}", ensure_escaped(last_.substr(12)));
    if (last_.starts_with("error failed ")) return fail(Errc::failed, "{}", ensure_escaped(last_.substr(13)));
    return fail(Errc::failed, "vm-patch-fetch ended with code {}: {}", exit_code, last_.empty() ? "it left no message" : ensure_escaped(last_));
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
  std::vector<char> buffer_ = std::vector<char>(4096);
  std::string text_;
  std::string last_;
};

/// Until the program closes its output.
Result<void> receive(Listener& lines, Content& content, SteadyTime deadline) {
  while (lines.fd() >= 0) {
    const auto rest = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (rest <= 0) return fail(Errc::timeout, "the download takes too long");
    std::array<pollfd, 2> watched{pollfd{content.fd(), POLLIN, 0}, pollfd{lines.fd(), POLLIN, 0}};
    if (::poll(watched.data(), watched.size(), static_cast<int>(rest)) <= 0) continue;
    if (watched[0].revents != 0) VMPATCH_CHECK(content.take_some());
    if (watched[1].revents != 0) VMPATCH_CHECK(lines.take_some());
  }
  return {};
}

}  // namespace

Result<TransferReply> fetch(const TransferRequest& request, const ContentSink& sink, Log& log) {
  VMPATCH_TRY(Pipe bytes, make_pipe());
  VMPATCH_TRY(Pipe words, make_pipe());
  VMPATCH_TRY(const Command command, make_command(request, bytes.writer.get()));
  Content content(std::move(bytes.reader), request.max_bytes, sink);
  Listener lines(std::move(words.reader), request.url, log);
  VMPATCH_TRY(Child child, Child::start(command, words.writer.get()));
  bytes.writer.reset();
  words.writer.reset();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(request.timeout + 30);
  VMPATCH_CHECK(receive(lines, content, deadline));
  VMPATCH_TRY(const int code, child.wait(std::chrono::milliseconds(5'000)));
  VMPATCH_TRY(TransferReply reply, lines.reply(code));
  VMPATCH_CHECK(content.finish(reply.unchanged ? 0 : reply.size));
  return reply;
}

}  // namespace vmpatch::fetch
