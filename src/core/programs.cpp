#include "vmpatch/core/programs.hpp"

#include <unistd.h>

#include <array>

#include "vmpatch/core/format.hpp"

namespace vmpatch {
namespace {

namespace fs = std::filesystem;

fs::path& own_dir() {
  static fs::path dir;
  return dir;
}

}  // namespace

Result<fs::path> internal_program(std::string_view name) {
  std::error_code error;
  const std::array<fs::path, 3> folders{own_dir(), fs::read_symlink("/proc/self/exe", error).parent_path(), VMPATCH_LIBEXEC_DIR};
  for (const fs::path& folder : folders) {
    if (folder.empty()) continue;
    fs::path program = folder / name;
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  return fail(Errc::not_found, "program {} is neither in {} nor in {}; install vm-patch completely", name, folders[1].string(),
              folders[2].string());
}

void set_internal_program_dir(const fs::path& dir) { own_dir() = dir; }

}  // namespace vmpatch
