#pragma once
// What libvirt says: arguments and domain XML (libvirt docs/hooks.rst).

#include <filesystem>
#include <string>

#include "vmpatch/core/result.hpp"
#include "vmpatch/gate/decision.hpp"

namespace vmpatch::gate {

struct Call {
  std::filesystem::path state_dir;
  std::string name;  ///< hostile text
  std::string word;  ///< operation as written
  std::string sub_operation;
  Operation operation = Operation::other;

  /// A non-zero exit prevents something only here; elsewhere it does harm (a failing `reconnect` kills the machine).
  [[nodiscard]] bool decides() const;
};

/// [--state-dir DIR --] NAME OPERATION [SUB-OPERATION [EXTRA]]. The state folder comes from the hook script that `gate install`
/// wrote, or is the compiled one; the environment is not asked.
Result<Call> parse_call(int argc, char** argv);

/// Standard input to its end. More than 4 MiB is Errc::refused, but is read all the same: libvirt writes it.
Result<std::string> read_domain_xml();

}  // namespace vmpatch::gate
