#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>

#include "gate/hook/hook.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/text.hpp"

namespace {

using namespace vmpatch;

/// In `restore` and `migrate` libvirt takes stdout as the new domain XML: one stray byte fails the restore.
bool silence_stdout() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  return null >= 0 && ::dup2(null, STDOUT_FILENO) == STDOUT_FILENO;
}

gate::Reply guarded_run(const gate::Call& call, const Result<std::string>& xml, const gate::SetLateCode& set_late_code) {
  try {
    return gate::run_hook(call, xml, set_late_code);
  } catch (const std::exception& error) {
    if (call.code_for_unknown() == 0) return {};
    return {gate::denied_exit_code, fmt::format("{}internal: {}; see `vm-patch gate status`\n", gate::denial_start(call), escape_untrusted(error.what()))};
  }
}

gate::Reply answer(const gate::Call& call) {
  const gate::SteadyTime limit = gate::limit_from_now();
  const auto xml = gate::read_domain_xml(limit);
  if (!xml && xml.error().code == Errc::timeout) return gate::out_of_time(call.code_for_unknown(), gate::denial_start(call));
  return gate::within_limit(limit, call.code_for_unknown(), gate::denial_start(call),
                            [&](const gate::SetLateCode& set_late_code) { return guarded_run(call, xml, set_late_code); });
}

}  // namespace

int main(int argc, char** argv) {
  const bool silent = silence_stdout();
  // A SHA-256 needs no configuration of OpenSSL, and reading it takes longer than the digest.
  ::setenv("OPENSSL_CONF", "/dev/null", 1);
  // libvirt may have closed its end of stderr.
  std::signal(SIGPIPE, SIG_IGN);
  auto call = gate::parse_call(argc, argv);
  if (!call) {
    static_cast<void>(write_all(STDERR_FILENO, call.error().message + "\n").has_value());
    return exit_code(call.error().code);
  }
  if (!silent) return call->code_for_unknown();
  if (call->daemon.empty()) call->daemon = gate::calling_daemon();
  const gate::Reply reply = answer(*call);
  // Nobody else is told if this fails, and the start is denied all the same.
  if (!reply.line.empty()) static_cast<void>(write_all(STDERR_FILENO, reply.line).has_value());
  // Destructors and unloading of libraries cost time, and everything is durable already.
  std::_Exit(reply.code == 0 && call->decides() ? call->code_for_allowed : reply.code);
}
