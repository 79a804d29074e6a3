#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "recipe/hashed_copy.hpp"
#include "vmpatch/core/atomic_output.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/recipe/bundle.hpp"

namespace vmpatch::recipe {
namespace {

fs::path path_in(const fs::path& dir, const Digest& digest) {
  const auto hex = digest.hex();
  return dir / "sha256" / hex.substr(0, 2) / hex;
}

}  // namespace

Result<PayloadStore> PayloadStore::open(const fs::path& dir) {
  VMPATCH_CHECK(make_dirs(dir / "sha256"));
  return PayloadStore(dir);
}

bool PayloadStore::has(const Payload& payload) const {
  struct stat status {};
  return ::lstat(path_in(dir_, payload.sha256).c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         static_cast<std::uint64_t>(status.st_size) == payload.size;
}

Result<UniqueFd> PayloadStore::open_verified(const Payload& payload) const {
  const auto path = path_in(dir_, payload.sha256);
  const auto what = fmt::format("payload {} in the store ({})", payload.name, path.string());
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return errno_error(errno, what);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return errno_error(errno, what);
  const bool whole = S_ISREG(status.st_mode) && static_cast<std::uint64_t>(status.st_size) == payload.size;
  bool good = false;
  if (whole) {
    VMPATCH_TRY(const Digest digest, sha256_fd(fd.get(), payload.size));
    good = digest == payload.sha256;
  }
  if (!good) {
    auto bad = path;
    bad += ".bad";
    if (::rename(path.c_str(), bad.c_str()) != 0) return errno_error(errno, what + ": setting the bad file aside");
    return fail(Errc::untrusted, "{}: the content does not match its sha256; set aside as {}; load the bundle again",
                what, bad.string());
  }
  return fd;
}

Result<void> PayloadStore::add(const Payload& payload, const Reader& read) {
  const auto path = path_in(dir_, payload.sha256);
  VMPATCH_CHECK(make_dirs(path.parent_path()));
  VMPATCH_TRY(AtomicOutput output, AtomicOutput::create(path));
  VMPATCH_CHECK(copy_hashed(payload, read, [&](std::string_view bytes) { return write_all(output.fd(), bytes); }));
  return output.commit(0444);
}

}  // namespace vmpatch::recipe
