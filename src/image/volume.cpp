#include "image/volume.hpp"

#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <optional>

#include "image/udev.hpp"
#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::image {
namespace {

// Not in linux/magic.h.
constexpr long zfs_magic = 0x2fc12fc1;
constexpr long ceph_magic = 0x00c36400;

/// XFS_IOC_FSGEOMETRY_V1 of xfs_fs.h. statfs() gives the device number of an XFS.
struct XfsGeometry {
  std::array<std::uint32_t, 8> sizes;
  std::array<std::uint64_t, 4> blocks;
  std::array<std::uint8_t, 16> uuid;
  std::array<std::uint32_t, 7> rest;
};
static_assert(sizeof(XfsGeometry) == 112);

std::optional<std::string> xfs_uuid(int fd) {
  XfsGeometry geometry{};
  if (::ioctl(fd, _IOR('X', 100, XfsGeometry), &geometry) != 0) return std::nullopt;
  const std::string bytes(geometry.uuid.begin(), geometry.uuid.end());
  return "xfs:" + to_hex(bytes);
}

/// File systems whose f_fsid is made of their own UUID, with that of the subvolume; others put the device number there.
const char* type_with_own_id(long type) {
  switch (type) {
    case EXT4_SUPER_MAGIC: return "ext";  // ext2, ext3, ext4
    case BTRFS_SUPER_MAGIC: return "btrfs";
    case TMPFS_MAGIC: return "tmpfs";
    case OVERLAYFS_SUPER_MAGIC: return "overlay";  // of the layer that is written
    case zfs_magic: return "zfs";
    case ceph_magic: return "ceph";
    default: return nullptr;
  }
}

/// mountinfo shows spaces and the like as \ooo (proc(5)); the name only has to be the same each time.
std::optional<std::string> network_source(dev_t device) {
  const auto table = read_file("/proc/self/mountinfo", 16U << 20U);
  if (!table) return std::nullopt;
  const std::string number = fmt::format("{}:{}", major(device), minor(device));
  for (const auto line : split(*table, '\n')) {
    const auto fields = split(line, ' ');
    if (fields.size() < 10 || fields[2] != number) continue;
    const auto dash = std::find(fields.begin() + 6, fields.end(), "-");
    if (fields.end() - dash < 3) continue;
    const std::string_view type = dash[1];
    for (const std::string_view network : {"nfs", "cifs", "smb3", "9p", "virtiofs", "fuse.", "gfs2", "ocfs2", "lustre", "afs"}) {
      if (type.starts_with(network)) return fmt::format("{}:{}", type, dash[2]);
    }
  }
  return std::nullopt;
}

std::string number_of(dev_t device) { return fmt::format("device:{}:{}", major(device), minor(device)); }

}  // namespace

std::string volume_of_file(int fd, const struct stat& info) {
  struct statfs system {};
  if (::fstatfs(fd, &system) != 0) return number_of(info.st_dev);
  if (const char* type = type_with_own_id(system.f_type)) {
    const auto high = static_cast<std::uint32_t>(system.f_fsid.__val[0]);
    const auto low = static_cast<std::uint32_t>(system.f_fsid.__val[1]);
    if (high != 0 || low != 0) return fmt::format("{}:{:08x}{:08x}", type, high, low);
  }
  if (system.f_type == XFS_SUPER_MAGIC) {
    if (auto name = xfs_uuid(fd)) return std::move(*name);
  }
  if (auto source = network_source(info.st_dev)) return std::move(*source);
  if (auto uuid = udev_property(info.st_dev, "ID_FS_UUID")) return "fs:" + *uuid;
  return number_of(info.st_dev);
}

}  // namespace vmpatch::image
