// vm-patch-fetch: downloads for vm-patch, which speaks to it by the words of fetch/wire.hpp. Started without privileges, and confined
// before it reads the first request from standard input; serves until that ends.
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <vector>

#include "fetch/curl/transfer.hpp"
#include "fetch/wire.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/seccomp.hpp"

namespace {

using namespace vmpatch;

Result<void> say(const std::string& text) { return write_all(STDOUT_FILENO, text); }

/// A line every two seconds.
class Teller {
 public:
  void operator()(std::uint64_t now, std::uint64_t total) {
    const auto time = std::chrono::steady_clock::now();
    if (now == 0 || time - last_ < std::chrono::seconds(2)) return;
    last_ = time;
    static_cast<void>(say(fmt::format("progress {} {}\n", now, total)).has_value());
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

class Requests {
 public:
  /// Nothing once the input has ended.
  Result<std::optional<std::string>> next() {
    for (;;) {
      if (const auto end = text_.find('\n'); end != std::string::npos) {
        std::string line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return line;
      }
      if (text_.size() > fetch::longest_request) return fail(Errc::failed, "the request is too long");
      const ssize_t got = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
      if (got < 0 && errno != EINTR) return errno_error(errno, "cannot read the request");
      if (got == 0) return std::optional<std::string>();
      if (got > 0) text_.append(buffer_.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  std::vector<char> buffer_ = std::vector<char>(64U << 10U);
  std::string text_;
};

std::string error_line(const Error& error) { return fmt::format("error {} {}\n", to_string(error.code), error.message); }

std::string answer(fetch::Transfers& transfers, std::string_view line) {
  const auto request = fetch::decode_request(line);
  if (!request) return error_line(request.error());
  const auto give = [](std::uint64_t at, std::string_view bytes) { return say(fmt::format("data {} {}\n{}", at, bytes.size(), bytes)); };
  const auto reply = transfers.run(*request, give, Teller());
  return reply ? "result " + dump_json(fetch::to_json(*reply)) + "\n" : error_line(reply.error());
}

Result<void> serve() {
#ifndef __SANITIZE_ADDRESS__  // whose leak check starts a process
  VMPATCH_CHECK(deny_processes());
#endif
  VMPATCH_TRY(auto transfers, fetch::Transfers::make());
  for (Requests requests;;) {
    VMPATCH_TRY(const auto line, requests.next());
    if (!line) return {};
    VMPATCH_CHECK(say(answer(transfers, *line)));
  }
}

}  // namespace

int main() {
  const auto served = serve();
  if (served) return 0;
  static_cast<void>(say(error_line(served.error())).has_value());
  return 1;
}
