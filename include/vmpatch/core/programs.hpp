#pragma once
// vm-patch's own helper programs, which nobody calls by hand: vm-patch-guest, vm-patch-appliance, …

#include <filesystem>
#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch {

/// Looked for in the folder set below, then beside the running program, then in <libexecdir>/vm-patch. Never in PATH.
/// Errc::not_found names the folders.
Result<std::filesystem::path> internal_program(std::string_view name);

/// The same for a module that a program loads; it need not be executable.
Result<std::filesystem::path> internal_plugin(std::string_view name);

/// For programs that lie elsewhere (tests). Call before threads start.
void set_internal_program_dir(const std::filesystem::path& dir);

}  // namespace vmpatch
