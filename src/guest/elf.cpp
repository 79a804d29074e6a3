#include "guest/elf.hpp"

namespace vmpatch::guest {

std::string elf_machine(std::string_view bytes) {
  if (bytes.size() < 20 || bytes.substr(0, 4) != "\x7f" "ELF") return "";
  const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[i])); };
  const bool wide = byte(4) == 2;
  const bool little = byte(5) == 1;
  if ((byte(4) != 1 && !wide) || (byte(5) != 2 && !little)) return "";
  const unsigned machine = little ? byte(18) | byte(19) << 8U : byte(18) << 8U | byte(19);
  switch (machine) {
    case 3: return "i686";
    case 8: return std::string(wide ? "mips64" : "mips") + (little ? "el" : "");
    case 20: return "ppc";
    case 21: return little ? "ppc64le" : "ppc64";
    case 22: return wide ? "s390x" : "s390";
    case 40: return "armv7l";
    case 43: return "sparc64";
    case 50: return "ia64";
    case 62: return "x86_64";
    case 183: return "aarch64";
    case 243: return wide ? "riscv64" : "riscv32";
    case 258: return wide ? "loongarch64" : "";
    default: return "";
  }
}

}  // namespace vmpatch::guest
