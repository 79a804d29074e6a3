#include "vmpatch/proof/boot.hpp"

#include <unistd.h>

#include "proof/firmware.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::proof {
namespace {

bool is_x86(std::string_view arch) { return arch.empty() || arch == "x86_64" || (arch.size() == 4 && arch[0] == 'i' && arch.ends_with("86")); }

}  // namespace

std::string_view to_string(Sign sign) {
  switch (sign) {
    case Sign::agent: return "agent";
    case Sign::login_prompt: return "login-prompt";
    case Sign::run_level: return "run-level";
  }
  return "";
}

Result<void> check_bootable(const Hardware& hardware, const std::vector<Disk>& disks, std::string_view arch) {
  if (!is_x86(arch)) return fail(Errc::unsupported, "its architecture is {}, and a boot proof starts x86_64", escape_untrusted(arch));
  if (::access(qemu_program, X_OK) != 0) return fail(Errc::not_found, "there is no {} to start it with; install qemu-system-x86", qemu_program);
  VMPATCH_TRY(const auto type, machine_type(hardware.machine, {}));
  VMPATCH_TRY(const auto firmware, load_firmware(hardware));
  VMPATCH_CHECK(machine_arguments(hardware, disks, {type, firmware.kind, false}));
  return {};
}

}  // namespace vmpatch::proof
