#include "image/other_users.hpp"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>

#include "image/open_file.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::image {
namespace {

constexpr std::uint64_t longest_value = 4096;

bool all_digits(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Entries that vanish meanwhile, and folders that may not be read, are none.
std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) found.push_back(it->path());
  return found;
}

std::string first_line(const fs::path& path) {
  const auto text = read_file(path, longest_value);
  return text ? std::string(trim(*text)) : std::string();
}

/// O_RDWR, O_WRONLY or O_RDONLY of somebody's descriptor; unknown counts as writing.
bool can_write(const fs::path& process, const std::string& descriptor) {
  const auto text = read_file(process / "fdinfo" / descriptor, longest_value);
  if (!text) return true;
  const auto at = text->find("flags:");
  if (at == std::string::npos) return true;
  return (std::strtoul(text->c_str() + at + 6, nullptr, 8) & O_ACCMODE) != O_RDONLY;
}

bool has_open(const fs::path& process, const struct stat& device, Access access) {
  for (const auto& link : entries(process / "fd")) {
    struct stat info {};
    if (::stat(link.c_str(), &info) != 0 || !S_ISBLK(info.st_mode) || info.st_rdev != device.st_rdev) continue;
    if (info.st_dev == device.st_dev && info.st_ino == device.st_ino) continue;  // the locks tell
    if (access == Access::any || can_write(process, link.filename().string())) return true;
  }
  return false;
}

/// The file that a bound loop device stands on. The name in sysfs may be one of another mount namespace, or end in " (deleted)".
std::optional<std::pair<std::uint64_t, std::uint64_t>> file_under(const fs::path& loop, const std::string& backing) {
  const UniqueFd fd(::open(("/dev" / loop.filename()).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  loop_info64 status{};
  if (fd && ::ioctl(fd.get(), LOOP_GET_STATUS64, &status) == 0) return std::pair{status.lo_device, status.lo_inode};
  struct stat info {};
  if (::stat(backing.c_str(), &info) != 0) return std::nullopt;
  return std::pair<std::uint64_t, std::uint64_t>{info.st_dev, info.st_ino};
}

}  // namespace

std::string user_of_other_node(const struct stat& info, Access access) {
  for (const auto& process : entries("/proc")) {
    const auto pid = process.filename().string();
    if (!all_digits(pid) || !has_open(process, info, access)) continue;
    return fmt::format("{} (process {})", escape_untrusted(first_line(process / "comm")), pid);
  }
  return {};
}

std::string loop_device_on(const struct stat& info) {
  for (const auto& device : entries("/sys/block")) {
    if (!device.filename().native().starts_with("loop")) continue;
    const auto backing = first_line(device / "loop/backing_file");
    if (backing.empty()) continue;
    if (file_under(device, backing) == std::pair<std::uint64_t, std::uint64_t>{info.st_dev, info.st_ino}) {
      return "/dev/" + device.filename().string();
    }
  }
  return {};
}

Result<void> check_no_other_user(int fd, const fs::path& path, Access access) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return errno_error(errno, "stat image " + shown(path));
  if (S_ISBLK(info.st_mode)) {
    const auto user = user_of_other_node(info, access);
    if (user.empty()) return {};
    return fail(Errc::busy, "device {} is in use by {}, by another node than this one (a running machine?); stop it first", shown(path), user);
  }
  if (access != Access::any) return {};
  const auto loop = loop_device_on(info);
  if (loop.empty()) return {};
  return fail(Errc::busy, "image {} is attached to this host as {}; unmount what is on it ('lsblk {}'), then 'losetup --detach {}'", shown(path),
              loop, loop, loop);
}

Result<UniqueFd> claim_device(int fd, const fs::path& path) {
  const std::string link = fmt::format("/proc/self/fd/{}", fd);
  // udev claims a device for a moment after it was written, to read its partitions again.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  for (;;) {
    UniqueFd claimed(::open(link.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK));
    if (claimed) return claimed;
    if (errno != EBUSY) return errno_error(errno, "claim device " + shown(path));
    if (std::chrono::steady_clock::now() > deadline) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return fail(Errc::busy,
              "device {} is in use by this host itself: it, or a partition of it, is mounted, swap, part of a RAID, LVM or device mapping, or "
              "claimed by another program; 'lsblk {}' shows it; release it first",
              shown(path), shown(path));
}

}  // namespace vmpatch::image
