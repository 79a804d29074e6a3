#include "fetch/program.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "fetch/wire.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/programs.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::fetch {
namespace {

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> env{{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C"}};
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE"}) {
    if (const char* value = std::getenv(name)) env.emplace(name, value);
  }
  return env;
}

Result<Command> make_command(int socket) {
  VMPATCH_TRY(const auto program, internal_program("vm-patch-fetch"));
  Command command;
  command.argv = {program.string()};
  command.env = environment();
  command.run_as = fresh_credentials();
  command.cwd = "/";
  command.descriptors = {{socket, 0}, {socket, 1}, {socket, 2}};
  command.limits = {{RLIMIT_CORE, 0}, {RLIMIT_NOFILE, 256}, {RLIMIT_FSIZE, 0}};
#ifndef __SANITIZE_ADDRESS__  // which reserves terabytes of address space
  command.limits.emplace_back(RLIMIT_AS, rlim_t{1} << 30U);
#endif
  return command;
}

}  // namespace

Result<Program> Program::start() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return errno_error(errno, "make a socket for vm-patch-fetch");
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  VMPATCH_TRY(const Command command, make_command(theirs.get()));
  VMPATCH_TRY(Child child, Child::start(command));
  return Program(std::move(child), std::move(ours));
}

bool Program::is_idle() const {
  pollfd watched{socket_.get(), POLLIN, 0};
  return begin_ == end_ && ::poll(&watched, 1, 0) == 0;
}

Result<void> Program::wait_for(short events, SteadyTime deadline) const {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return fail(Errc::timeout, "the download takes too long");
    pollfd watched{socket_.get(), events, 0};
    const int ready = ::poll(&watched, 1, static_cast<int>(std::min(left, std::chrono::milliseconds(3'600'000)).count()));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return errno_error(errno, "cannot wait for vm-patch-fetch");
  }
}

Result<void> Program::ask(std::string_view line, SteadyTime deadline) {
  const std::string text = std::string(line) + "\n";
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t sent = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) rest.remove_prefix(static_cast<std::size_t>(sent));
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return {};  // it is gone: what it said last is still to be heard
    if (sent < 0 && errno != EINTR && errno != EAGAIN) return errno_error(errno, "cannot ask vm-patch-fetch");
    if (sent < 0) VMPATCH_CHECK(wait_for(POLLOUT, deadline));
  }
  return {};
}

Error Program::ending() {
  const auto code = child_.wait(std::chrono::milliseconds(5'000));
  if (!code) return fail(Errc::failed, "vm-patch-fetch talks no more");
  return fail(Errc::failed, "vm-patch-fetch ended with code {}: {}", *code, last_words_.empty() ? "it left no message" : ensure_escaped(last_words_));
}

Result<void> Program::fill(SteadyTime deadline) {
  if (begin_ > 0) std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_), buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
  end_ -= std::exchange(begin_, 0);
  VMPATCH_CHECK(wait_for(POLLIN, deadline));
  const ssize_t got = ::recv(socket_.get(), buffer_.data() + end_, buffer_.size() - end_, 0);
  if (got == 0 || (got < 0 && errno == ECONNRESET)) return ending();
  if (got < 0 && errno != EINTR) return errno_error(errno, "cannot hear vm-patch-fetch");
  end_ += got > 0 ? static_cast<std::size_t>(got) : 0;
  return {};
}

Result<std::string> Program::hear_line(SteadyTime deadline) {
  for (;;) {
    const std::string_view waiting(buffer_.data() + begin_, end_ - begin_);
    if (const auto end = waiting.find('\n'); end != std::string_view::npos) {
      begin_ += end + 1;
      return std::string(waiting.substr(0, end));
    }
    if (waiting.size() > longest_line) return fail(Errc::failed, "vm-patch-fetch talks too much");
    VMPATCH_CHECK(fill(deadline));
  }
}

Result<std::string_view> Program::hear_bytes(std::uint64_t most, SteadyTime deadline) {
  while (begin_ == end_) VMPATCH_CHECK(fill(deadline));
  const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(most, end_ - begin_));
  const std::string_view bytes(buffer_.data() + begin_, size);
  begin_ += size;
  return bytes;
}

}  // namespace vmpatch::fetch
