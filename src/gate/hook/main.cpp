#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>

#include "gate/hook/alarm.hpp"
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

int guarded_run(const gate::Call& call) {
  try {
    return gate::run_hook(call, gate::read_domain_xml());
  } catch (const std::exception& error) {
    if (!call.decides()) return 0;
    const std::string line = fmt::format("vm-patch: start of {} denied: internal: {}; see `vm-patch gate status`\n",
                                         escape_untrusted(call.name), escape_untrusted(error.what()));
    static_cast<void>(write_all(STDERR_FILENO, line).has_value());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool silent = silence_stdout();
  // A SHA-256 needs no configuration of OpenSSL, and reading it takes longer than the digest.
  ::setenv("OPENSSL_CONF", "/dev/null", 1);
  // libvirt may have closed its end of stderr.
  std::signal(SIGPIPE, SIG_IGN);
  const auto call = gate::parse_call(argc, argv);
  if (!call) {
    static_cast<void>(write_all(STDERR_FILENO, call.error().message + "\n").has_value());
    return exit_code(call.error().code);
  }
  if (!silent) return call->decides() ? 1 : 0;
  gate::arm_alarm(call->decides() ? 1 : 0,
                  fmt::format("vm-patch: start of {} denied: timeout: no decision within 2 s; see `vm-patch gate status`",
                              escape_untrusted(call->name)));
  // Destructors and unloading of libraries cost time, and everything is durable already.
  std::_Exit(guarded_run(*call));
}
