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

/// Of a partition that of the disk that it is of; else the same (sysfs: a partition's folder lies in its disk's).
dev_t whole_disk(dev_t number) {
  const auto folder = fs::path("/sys/dev/block") / fmt::format("{}:{}", major(number), minor(number));
  std::error_code error;
  if (!fs::exists(folder / "partition", error)) return number;
  const auto text = first_line(fs::canonical(folder, error).parent_path() / "dev");
  const auto colon = text.find(':');
  if (error || colon == std::string::npos) return number;
  return makedev(static_cast<unsigned>(std::strtoul(text.c_str(), nullptr, 10)), static_cast<unsigned>(std::strtoul(text.c_str() + colon + 1, nullptr, 10)));
}

/// The same, or one is a partition of the other.
bool shares_blocks(dev_t one, dev_t other) { return one == other || whole_disk(one) == other || one == whole_disk(other); }

/// What a bound loop device stands on: a file by where it lies, a device by its number, whatever node names it.
struct Backing {
  std::uint64_t device = 0;  ///< that the file lies on
  std::uint64_t inode = 0;
  std::uint64_t number = 0;  ///< of a device; 0 = a file
  [[nodiscard]] bool is(const struct stat& info) const {
    return S_ISBLK(info.st_mode) ? number != 0 && shares_blocks(number, info.st_rdev) : number == 0 && device == info.st_dev && inode == info.st_ino;
  }
};

/// The name in sysfs may be one of another mount namespace, or end in " (deleted)".
std::optional<Backing> backing_of(const fs::path& loop, const std::string& name) {
  const UniqueFd fd(::open(("/dev" / loop.filename()).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  loop_info64 status{};
  if (fd && ::ioctl(fd.get(), LOOP_GET_STATUS64, &status) == 0) return Backing{status.lo_device, status.lo_inode, status.lo_rdevice};
  struct stat info {};
  if (::stat(name.c_str(), &info) != 0) return std::nullopt;
  return Backing{info.st_dev, info.st_ino, S_ISBLK(info.st_mode) ? info.st_rdev : 0};
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
    const auto under = backing_of(device, backing);
    if (under && under->is(info)) return "/dev/" + device.filename().string();
  }
  return {};
}

Result<void> check_no_other_user(int fd, const fs::path& path, Access access) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return errno_error(errno, "stat image " + shown(path));
  const bool is_device = S_ISBLK(info.st_mode);
  if (is_device) {
    const auto user = user_of_other_node(info, access);
    if (!user.empty()) {
      return fail(Errc::busy, "device {} is in use by {}, by another node than this one (a running machine?); stop it first", shown(path), user);
    }
  }
  if (access != Access::any) return {};
  const auto loop = loop_device_on(info);
  if (loop.empty()) return {};
  return fail(Errc::busy, "{} {} is attached to this host as {}; unmount what is on it ('lsblk {}'), then 'losetup --detach {}'",
              is_device ? "device" : "image", shown(path), loop, loop, loop);
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
