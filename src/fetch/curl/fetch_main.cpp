// vm-patch-fetch: downloads one file. Started without privileges, and confined before it reads the request from standard input;
// the content goes to descriptor 3, a pipe, "progress BYTES TOTAL" lines and one "result JSON" or "error CODE MESSAGE" line to standard output.
#include <unistd.h>

#include <chrono>

#include "fetch/curl/transfer.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/seccomp.hpp"

namespace {

using namespace vmpatch;

constexpr int content_fd = 3;

void say(const std::string& line) { static_cast<void>(write_all(STDOUT_FILENO, line + "\n").has_value()); }

/// A line every two seconds.
class Teller {
 public:
  void operator()(std::uint64_t now, std::uint64_t total) {
    const auto time = std::chrono::steady_clock::now();
    if (now == 0 || time - last_ < std::chrono::seconds(2)) return;
    last_ = time;
    say(fmt::format("progress {} {}", now, total));
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

Result<fetch::TransferReply> run() {
#ifndef __SANITIZE_ADDRESS__  // whose leak check starts a process
  VMPATCH_CHECK(deny_processes());
#endif
  VMPATCH_TRY(const std::string text, read_fd(STDIN_FILENO, 64U << 10U, "the request"));
  VMPATCH_TRY(const Json json, parse_json(text, "the request"));
  VMPATCH_TRY(const auto request, fetch::transfer_request_from_json(json));
  return fetch::transfer(request, content_fd, Teller());
}

}  // namespace

int main() {
  const auto reply = run();
  if (reply) {
    say("result " + dump_json(fetch::to_json(*reply)));
    return 0;
  }
  say(fmt::format("error {} {}", reply.error().code == Errc::usage ? "usage" : "failed", reply.error().message));
  return 1;
}
