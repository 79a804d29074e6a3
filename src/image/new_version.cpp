#include "vmpatch/image/new_version.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <optional>

#include "image/open_file.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/image/block_server.hpp"

namespace vmpatch::image {
namespace {

/// NAME, and the end that tells the format; "web" + ".qcow2".
std::pair<std::string, std::string> split(const std::string& name) {
  const auto dot = name.rfind('.');
  const bool has_end = dot != std::string::npos && dot > 0 && dot + 1 < name.size() && std::isalpha(static_cast<unsigned char>(name[dot + 1])) != 0;
  const bool is_version = has_end && name[dot + 1] == 'v' && std::all_of(name.begin() + static_cast<std::ptrdiff_t>(dot) + 2, name.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  if (!has_end || is_version) return {name, {}};
  return {name.substr(0, dot), name.substr(dot)};
}

/// Of "web.v12" 12 and "web"; of anything else nothing.
std::optional<std::pair<std::string, std::uint32_t>> version_in(const std::string& stem) {
  const auto mark = stem.rfind(".v");
  if (mark == std::string::npos || mark == 0) return std::nullopt;
  std::uint32_t number = 0;
  const char* const end = stem.data() + stem.size();
  const auto [at, error] = std::from_chars(stem.data() + mark + 2, end, number);
  if (error != std::errc() || at != end || number == 0 || number > 1'000'000'000) return std::nullopt;
  return std::pair(stem.substr(0, mark), number);
}

Result<void> copy_attribute(int from, int to, const char* name) {
  std::string value(64U << 10U, '\0');
  const ssize_t size = ::fgetxattr(from, name, value.data(), value.size());
  if (size < 0) return errno == ENODATA || errno == ENOTSUP ? Result<void>() : Result<void>(errno_error(errno, fmt::format("read {}", name)));
  if (::fsetxattr(to, name, value.data(), static_cast<std::size_t>(size), 0) == 0) return {};
  return errno_error(errno, fmt::format("set {}", name));
}

struct Owner {
  uid_t user = 0;
  gid_t group = 0;
};

/// While a machine stands on an image, libvirt has made it QEMU's, and keeps beside it whose it was: "+UID:+GID" (src/security/security_util.c,
/// virSecurityGetRememberedLabel).
Owner lasting_owner(int fd, const struct stat& info) {
  std::string text(64, '\0');
  const ssize_t size = ::fgetxattr(fd, "trusted.libvirt.security.dac", text.data(), text.size());
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  text = text.substr(0, text.find('\0'));
  unsigned user = 0;
  unsigned group = 0;
  int end = 0;
  if (std::sscanf(text.c_str(), "+%u:+%u%n", &user, &group, &end) == 2 && static_cast<std::size_t>(end) == text.size()) return {user, group};
  return {info.st_uid, info.st_gid};
}

Result<UniqueFd> create_raw(const fs::path& path, std::uint64_t size) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return errno_error(errno, "create image " + shown(path));
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) == 0 && ::fsync(fd.get()) == 0) {
    VMPATCH_CHECK(fsync_dir(path.parent_path()));
    return fd;
  }
  const int error = errno;
  ::unlink(path.c_str());
  return errno_error(error, "create image " + shown(path));
}

Result<UniqueFd> create_empty(const fs::path& path, Format format, std::uint64_t virtual_size) {
  if (format == Format::raw) return create_raw(path, virtual_size);
  VMPATCH_TRY(auto image, create_own_image(path, virtual_size, nullptr));
  return std::move(image.read_write);
}

bool is_one_file(int a, int b) {
  struct stat first {};
  struct stat second {};
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

}  // namespace

Result<fs::path> next_version(const fs::path& image, const std::vector<fs::path>& taken) {
  auto [stem, end] = split(image.filename().native());
  std::uint32_t newest = 1;
  if (auto version = version_in(stem)) std::tie(stem, newest) = *version;
  const auto count = [&](const fs::path& path) {
    const auto [other, other_end] = split(path.filename().native());
    const auto version = version_in(other);
    if (version && version->first == stem && other_end == end) newest = std::max(newest, version->second);
  };
  std::error_code error;
  for (fs::directory_iterator entry(image.parent_path(), error), last; !error && entry != last; entry.increment(error)) count(entry->path());
  for (const auto& path : taken) {
    if (path.parent_path() == image.parent_path()) count(path);
  }
  if (error) return errno_error(error.value(), "read folder " + shown(image.parent_path()));
  return image.parent_path() / fmt::format("{}.v{}{}", stem, newest + 1, end);
}

Result<Chain> create_image(const fs::path& path, Format format, std::uint64_t virtual_size) {
  VMPATCH_TRY(const auto fd, create_empty(path, format, virtual_size));
  VMPATCH_TRY(auto chain, Chain::open(path, format, {}));
  // Who may write the folder may have put another file there meanwhile.
  if (!is_one_file(fd.get(), chain.top().fd.get())) return fail(Errc::refused, "{} is another file than the one that was just made there", shown(path));
  return chain;
}

Result<void> take_attributes(const Layer& from, const Chain& to) {
  VMPATCH_TRY(const auto fd, to.open_top_writable());
  struct stat info {};
  const auto take = [&]() -> Result<void> {
    if (::fstat(from.fd.get(), &info) != 0) return errno_error(errno, shown(from.path));
    const auto owner = lasting_owner(from.fd.get(), info);
    if (::fchown(fd.get(), owner.user, owner.group) != 0) return errno_error(errno, "set the owner");
    if (::fchmod(fd.get(), info.st_mode & 07777U) != 0) return errno_error(errno, "set the mode");
    VMPATCH_CHECK(copy_attribute(from.fd.get(), fd.get(), "system.posix_acl_access"));
    VMPATCH_CHECK(copy_attribute(from.fd.get(), fd.get(), "security.selinux"));
    if (::fsync(fd.get()) != 0) return errno_error(errno, "sync");
    return {};
  };
  if (auto taken = take(); !taken) return taken.error().in("image " + shown(to.top().path));
  return {};
}

Result<void> rename_image(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return fsync_dir(to.parent_path());
  if (errno == EEXIST) return fail(Errc::refused, "there is a file {} already; try again", shown(to));
  return errno_error(errno, fmt::format("rename image {} to {}", shown(from), shown(to)));
}

Result<bool> remove_image(const fs::path& path, const std::string& id) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd && errno == ENOENT) return false;
  if (!fd) return errno_error(errno, "open image " + shown(path));
  VMPATCH_TRY(const auto identity, identify_fd(fd.get(), path, false));
  if (file_id(identity) != id) return fail(Errc::refused, "{} is another file than the one that was made there; it was left", shown(path));
  if (::unlink(path.c_str()) != 0) return errno_error(errno, "remove image " + shown(path));
  VMPATCH_CHECK(fsync_dir(path.parent_path()));
  return true;
}

}  // namespace vmpatch::image
