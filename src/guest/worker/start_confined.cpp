#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "guest/worker/start.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/programs.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::worker {
namespace {

constexpr Seconds augeas_limit{60};
constexpr std::uint64_t augeas_content = 1U << 20U;  ///< parsing takes memory and time out of proportion to it

/// The direct reader may have gigabytes to hash, and limits itself in everything else; a lens and a file take Augeas some
/// tenths of a second.
std::vector<std::pair<int, rlim_t>> limits(std::string_view program) {
  const rlim_t cpu_seconds = program == direct_program ? 300 : 5;
  std::vector<std::pair<int, rlim_t>> all{{RLIMIT_CORE, 0}, {RLIMIT_NOFILE, 512}, {RLIMIT_CPU, cpu_seconds}};
#ifndef __SANITIZE_ADDRESS__  // which reserves terabytes of address space
  all.emplace_back(RLIMIT_AS, rlim_t{1} << 30U);
#endif
  return all;
}

/// Compiled once a process.
Result<const SystemCallFilter*> filter() {
  static const Result<SystemCallFilter> compiled = deny_escape();
  VMPATCH_CHECK(compiled);
  return &*compiled;
}

}  // namespace

Result<StartedWorker> start_confined(const std::string& program, int log_fd) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return errno_error(errno, "cannot make a socket for the guest worker");
  }
  StartedWorker started;
  started.socket.reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  Command command;
  VMPATCH_TRY(const auto path, internal_program(program));
  command.argv = {path.string()};
  command.env = std::map<std::string, std::string>{{"PATH", "/usr/bin:/bin"}, {"LANG", "C.UTF-8"}};
  command.cwd = "/";
  command.run_as = fresh_credentials();
  command.limits = limits(program);
  command.descriptors = {{theirs.get(), 3}};
  VMPATCH_TRY(command.filter, filter());
  VMPATCH_TRY(started.child, Child::start_logged(command, log_fd, program));
  return started;
}

Result<std::optional<std::string>> ask_augeas(Guest& guest, const std::string& path, const std::string& lens,
                                              const std::string& node, int log_fd) {
  VMPATCH_TRY(const FileStat info, guest.stat(path));
  if (info.kind == FileKind::regular && info.size > augeas_content) {
    return fail(Errc::unsupported, "{} is too large for Augeas outside of an appliance", escape_untrusted(path));
  }
  Frame request;
  VMPATCH_TRY(std::string content, guest.read(path, augeas_content));
  request.blobs = {std::move(content), path, lens, node};
  VMPATCH_TRY(const StartedWorker process, start_confined("vm-patch-augeas", log_fd));
  const Deadline deadline = std::chrono::steady_clock::now() + augeas_limit;
  if (auto sent = send_frame(process.socket.get(), request, deadline); !sent) return sent.error().in("ask Augeas");
  auto answer = receive_frame(process.socket.get(), deadline);
  if (!answer) return make_error(Errc::failed, fmt::format("Augeas ended on {}: {}", escape_untrusted(path), answer.error().message));
  if (answer->header.contains("error")) {
    VMPATCH_TRY(const std::string code, word(answer->header, "error"));
    VMPATCH_TRY(const std::string message, word(answer->header, "message"));
    return make_error(parse_errc(code), ensure_escaped(message));
  }
  const auto found = answer->header.find("found");
  if (found == answer->header.end() || !found->is_boolean() || answer->blobs.size() != 1) {
    return fail(Errc::failed, "Augeas: a malformed answer");
  }
  return found->get<bool>() ? std::optional(std::move(answer->blobs[0])) : std::nullopt;
}

}  // namespace vmpatch::guest::worker
