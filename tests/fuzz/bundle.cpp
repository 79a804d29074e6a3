// Any bytes as a bundle and as a Debian package: an error, never a trusted recipe.
#include "vmpatch/recipe/bundle.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "vmpatch/core/file.hpp"
#include "vmpatch/recipe/deb.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vmpatch;
  static const UniqueFd file(::memfd_create("bundle", MFD_CLOEXEC));
  static const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (::ftruncate(file.get(), 0) != 0 || ::lseek(file.get(), 0, SEEK_SET) != 0 || !write_all(file.get(), bytes))
    std::abort();
  if (recipe::verify_bundle(path, trust::Keyring{}, Time{})) std::abort();
  static_cast<void>(recipe::read_bundle_envelope(path).has_value());
  static_cast<void>(recipe::read_deb(file.get(), "input", true).has_value());
  return 0;
}
