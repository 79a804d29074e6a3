#pragma once
// What libvirt says: arguments and domain XML (libvirt docs/hooks.rst).

#include <filesystem>
#include <string>

#include "gate/hook/errand.hpp"
#include "vmpatch/core/result.hpp"
#include "vmpatch/gate/decision.hpp"

namespace vmpatch::gate {

struct Call {
  std::filesystem::path state_dir;
  std::filesystem::path run_dir = "/run";  ///< below which libvirt's status files and our marks lie
  std::string name;  ///< hostile text
  std::string word;  ///< operation as written
  std::string sub_operation;
  std::string extra;  ///< from libvirt 10.5 on the reason of an end: "saved", "shutdown", …
  Operation operation = Operation::other;
  int code_for_allowed = 0;
  std::string daemon = {};  ///< see calling_daemon()

  /// A non-zero exit prevents something only here; elsewhere it does harm (a failing `reconnect` kills the machine).
  [[nodiscard]] bool decides() const;
  /// Exit code where nothing is known. At `started` the machine runs, unless it is known that a snapshot was loaded.
  [[nodiscard]] int code_for_unknown() const { return decides() && operation != Operation::started ? denied_exit_code : 0; }
};

/// [--state-dir DIR] [--allowed-code NUMBER] [--run-dir DIR] [--daemon WORD] -- NAME OPERATION [SUB-OPERATION [EXTRA]], or without options and "--".
/// The state folder comes from the hook script that `gate install` wrote, or is the compiled one; the environment is not asked.
/// Tests have a /run and a daemon of their own.
Result<Call> parse_call(int argc, char** argv);

/// Process id and start time of the libvirt daemon that this process descends from: another daemon has another word, the same one
/// after a restart, too. Empty where none is found.
std::string calling_daemon();

/// Standard input to its end. More than 4 MiB is Errc::refused, but is read all the same: libvirt writes it. Errc::timeout: its
/// end did not come before `limit`.
Result<std::string> read_domain_xml(SteadyTime limit);

}  // namespace vmpatch::gate
