#pragma once
// The script that libvirt calls: HOOKS/qemu.d/50-vm-patch (qemu.d: since libvirt 6.5, docs/hooks.rst).

#include <filesystem>
#include <optional>
#include <string>

#include "vmpatch/cli/context.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::cli {

fs::path hook_path(const fs::path& hooks_dir);
/// `'text'` for /bin/sh.
std::string shell_quoted(const std::string& text);
/// The script decides by operation what may fail, so that no program that is gone or broken can end a running machine.
std::string hook_script(const fs::path& program, const fs::path& state);
/// The program that hook_script() wrote in for this state folder; nullopt: the script has another form (of an earlier version, or
/// somebody edited it).
std::optional<fs::path> called_program(const std::string& script, const fs::path& state);

/// `wanted`, or vm-patch-gate beside this program, or where it is installed. Refused when others than root could replace it:
/// libvirt runs it as root.
Result<fs::path> find_gate_program(const fs::path& wanted);

struct HookState {
  bool installed = false;
  bool executable = false;
  bool ours = false;      ///< calls vm-patch-gate
  std::string content;
};
HookState look_at_hook(const fs::path& hooks_dir);

}  // namespace vmpatch::cli
