#include "repository/apt/identity.hpp"

#include <apt-pkg/init.h>
#include <fcntl.h>
#include <link.h>

#include <cerrno>
#include <string_view>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::repository::apt {
namespace {

constexpr std::uint64_t max_program = 256U << 20U;

Result<Digest> digest_of(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_error(errno, path);
  return sha256_fd(fd.get(), max_program);
}

/// As the dynamic linker found it.
std::string loaded_library() {
  std::string path;
  const auto look = [](dl_phdr_info* object, std::size_t, void* found) {
    if (std::string_view(object->dlpi_name).find("/libapt-pkg.so") == std::string_view::npos) return 0;
    *static_cast<std::string*>(found) = object->dlpi_name;
    return 1;
  };
  ::dl_iterate_phdr(look, &path);
  return path;
}

}  // namespace

Result<std::string> own_identity() {
  const std::string library = loaded_library();
  if (library.empty()) return fail(Errc::failed, "libapt-pkg is no library that can be found again");
  VMPATCH_TRY(const Digest program, digest_of("/proc/self/exe"));
  VMPATCH_TRY(const Digest loaded, digest_of(library));
  return fmt::format("vm-patch-apt {} libapt-pkg {} {}", program.hex(), pkgVersion, loaded.hex());
}

}  // namespace vmpatch::repository::apt
