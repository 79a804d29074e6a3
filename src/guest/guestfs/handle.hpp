#pragma once
// libguestfs' handle and what it allocates, owned.

#include <guestfs.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "vmpatch/core/format.hpp"

namespace vmpatch::guest::guestfs {

template <auto Fn>
struct Free {
  template <class T>
  void operator()(T* object) const {
    Fn(object);
  }
};

using Handle = std::unique_ptr<guestfs_h, Free<guestfs_close>>;
using CString = std::unique_ptr<char, Free<std::free>>;
using StatPtr = std::unique_ptr<struct guestfs_statns, Free<guestfs_free_statns>>;
using EntriesPtr = std::unique_ptr<struct guestfs_dirent_list, Free<guestfs_free_dirent_list>>;
using SubvolumesPtr = std::unique_ptr<struct guestfs_btrfssubvolume_list, Free<guestfs_free_btrfssubvolume_list>>;
using StatvfsPtr = std::unique_ptr<struct guestfs_statvfs, Free<guestfs_free_statvfs>>;

struct FreeStrings {
  void operator()(char** strings) const {
    for (char** s = strings; s != nullptr && *s != nullptr; ++s) std::free(*s);
    std::free(static_cast<void*>(strings));
  }
};
using Strings = std::unique_ptr<char*, FreeStrings>;

[[nodiscard]] std::vector<std::string> to_vector(const Strings& strings);
/// A flat list of names and values.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> to_pairs(const Strings& strings);

/// The last error of the handle: "cannot WHAT PATH: …"; ENOENT and ENOTDIR are not_found.
[[nodiscard]] Error last_error(guestfs_h* g, std::string_view what, std::string_view path = {});

/// The same for calls that return -1 on failure.
inline Result<void> check(guestfs_h* g, int result, std::string_view what, std::string_view path = {}) {
  if (result == -1) return last_error(g, what, path);
  return {};
}

}  // namespace vmpatch::guest::guestfs
