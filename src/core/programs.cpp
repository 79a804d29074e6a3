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

Result<fs::path> find(std::string_view what, std::string_view name, int access) {
  std::error_code error;
  const std::array<fs::path, 3> folders{own_dir(), fs::read_symlink("/proc/self/exe", error).parent_path(), VMPATCH_LIBEXEC_DIR};
  for (const fs::path& folder : folders) {
    if (folder.empty()) continue;
    fs::path program = folder / name;
    if (::access(program.c_str(), access) == 0) return program;
  }
  return fail(Errc::not_found, "{} {} is neither in {} nor in {}; install vm-patch completely", what, name, folders[1].string(),
              folders[2].string());
}

}  // namespace

Result<fs::path> internal_program(std::string_view name) { return find("program", name, X_OK); }

// Debian installs libraries without the mode bits of programs.
Result<fs::path> internal_plugin(std::string_view name) { return find("plugin", name, R_OK); }

void set_internal_program_dir(const fs::path& dir) { own_dir() = dir; }

}  // namespace vmpatch
