#include "vmpatch/core/own_folder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "vmpatch/core/format.hpp"

namespace vmpatch {
namespace {

namespace fs = std::filesystem;

/// Of the folder or one above it: who may rename in there could lead a change of owner or mode astray.
bool is_ours(const struct stat& info) {
  const bool owned = info.st_uid == ::geteuid() || info.st_uid == 0;
  return owned && ((info.st_mode & 0022U) == 0 || (info.st_mode & S_ISVTX) != 0);
}

}  // namespace

Result<void> check_own_folder(const fs::path& cache_dir) {
  std::error_code error;
  const auto real = fs::canonical(cache_dir, error);
  if (error) return fail(Errc::failed, "{}: {}", cache_dir.string(), error.message());
  for (auto folder = real;; folder = folder.parent_path()) {
    struct stat info {};
    if (::stat(folder.c_str(), &info) != 0) return errno_error(errno, folder.string());
    const bool own = folder != real || (info.st_uid == ::geteuid() && (info.st_mode & 0022U) == 0);
    if (!own || !is_ours(info)) {
      return fail(Errc::refused, "the cache folder {} can be changed by others: {} belongs to user {} and has mode {:04o}; set VM_PATCH_CACHE to a folder that is yours alone",
                  cache_dir.string(), folder.string(), info.st_uid, info.st_mode & 07777U);
    }
    if (folder == folder.parent_path()) return {};
  }
}

}  // namespace vmpatch
