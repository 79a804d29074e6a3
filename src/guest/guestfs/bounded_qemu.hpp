#pragma once
// QEMU below libguestfs, where it emulates the processor: what it keeps of translated code is bounded. By default that grows to 1 GiB
// (tcg,tb-size in qemu(1)) for a guest that runs ever new code, on top of the appliance's own memory. libguestfs has no setting for it;
// a script in QEMU's place is its documented way: guestfs(3), "QEMU WRAPPERS".

#include <filesystem>
#include <string>

#include "vmpatch/core/result.hpp"

namespace vmpatch::guest::guestfs {

/// The script: calls `qemu` with the arguments that it gets, of which -machine's accel=tcg becomes an -accel with the bound. Pure.
[[nodiscard]] std::string bounded_qemu_script(const std::string& qemu);

/// Writes it into `folder`; the path of it.
Result<std::filesystem::path> make_bounded_qemu(const std::filesystem::path& folder, const std::string& qemu);

}  // namespace vmpatch::guest::guestfs
