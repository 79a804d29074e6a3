#pragma once

#include <string>
#include <string_view>

namespace vmpatch::guest {

/// `uname -m` style name of the machine that an ELF file is for ("x86_64", "aarch64", …); "" when these are not the first
/// bytes of an ELF file or the machine is unknown. Source: elf(5), gABI e_machine.
[[nodiscard]] std::string elf_machine(std::string_view first_bytes);

}  // namespace vmpatch::guest
