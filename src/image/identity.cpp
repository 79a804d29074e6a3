#include "vmpatch/image/identity.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "image/big_endian.hpp"
#include "image/device_probe.hpp"
#include "image/open_file.hpp"
#include "image/qcow2_format.hpp"
#include "image/snapshots.hpp"
#include "image/volume.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::image {
namespace {

/// Begins the volume of an identity that was recorded with a device number.
constexpr std::string_view old_volume = "device-number:";

std::int64_t nanoseconds(const statx_timestamp& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }

// Not the full screen: an image that must not be opened (dirty, say) still has an identity, and a verdict needs it.
Result<Digest> header_digest(int fd, const std::filesystem::path& path) {
  VMPATCH_TRY(const auto start, read_at(fd, 0, qcow2::v2_header_size, path));
  if (start.size() < qcow2::v2_header_size || read_be<std::uint32_t>(start, qcow2::at_magic) != qcow2::magic) {
    return fail(Errc::refused, "image {} is not a qcow2 image any more", shown(path));
  }
  const auto cluster_bits = read_be<std::uint32_t>(start, qcow2::at_cluster_bits);
  if (cluster_bits < qcow2::min_cluster_bits || cluster_bits > qcow2::max_cluster_bits) {
    return fail(Errc::refused, "image {}: qcow2 cluster size 2^{} is not possible; check it with qemu-img check",
                shown(path), cluster_bits);
  }
  VMPATCH_TRY(const auto cluster, read_at(fd, 0, 1ULL << cluster_bits, path));
  VMPATCH_TRY(const auto table,
              load_snapshot_table(fd, read_be<std::uint64_t>(start, qcow2::at_snapshots_offset),
                                  read_be<std::uint32_t>(start, qcow2::at_snapshot_count), path));
  Sha256 hash;
  hash.update(cluster);
  hash.update(table.bytes);
  return hash.finish();
}

std::string layer_difference(const LayerIdentity& before, const LayerIdentity& now) {
  if (before.volume.starts_with(old_volume)) return "was recorded by an older vm-patch, before a reboot of the host was thought of";
  if (before.volume != now.volume || before.inode != now.inode) return "is another file";
  if (before.birth_ns != now.birth_ns) return "was created anew";
  if (before.size != now.size) return fmt::format("size was {}, is {}", before.size, now.size);
  if (before.header != now.header) {
    return before.inode == 0 ? "partition table, superblock or header changed" : "qcow2 header or snapshot table changed";
  }
  if (before.mtime_ns != now.mtime_ns) return "mtime moved";
  if (before.ctime_ns != now.ctime_ns) return "ctime moved";
  const bool counted = !before.incarnation.empty() && before.incarnation == now.incarnation;
  if (counted && before.written != now.written) return "was written to";
  return {};
}

template <class T>
bool take(const Json& object, const char* key, T& value) {
  const auto found = object.find(key);
  if (found == object.end()) return false;
  if constexpr (std::is_same_v<T, std::string>) {
    if (!found->is_string()) return false;
  } else if constexpr (std::is_unsigned_v<T>) {
    if (!found->is_number_unsigned()) return false;
  } else if (!found->is_number_integer()) {
    return false;
  }
  value = found->template get<T>();
  return true;
}

bool take_volume(const Json& entry, std::string& volume) {
  if (entry.contains("volume")) return take(entry, "volume", volume);
  std::uint64_t device = 0;
  if (!take(entry, "device", device)) return false;
  volume = fmt::format("{}{}", old_volume, device);
  return true;
}

bool take_written(const Json& entry, LayerIdentity& layer) {
  if (!entry.contains("incarnation") && !entry.contains("written")) return true;
  return take(entry, "incarnation", layer.incarnation) && take(entry, "written", layer.written);
}

/// Whatever the node in /dev says of itself.
Result<void> identify_device(int fd, dev_t device, const std::filesystem::path& path, bool is_qcow2, LayerIdentity& identity) {
  identity.volume = name_of_device(device);
  // Counted before the device is read: a write in between shows at the next comparison.
  auto writes = count_writes(device);
  identity.incarnation = std::move(writes.incarnation);
  identity.written = writes.sectors;
  if (is_qcow2) return {};
  VMPATCH_TRY(identity.header, probe_device(fd, identity.size, path));
  return {};
}

}  // namespace

std::string file_id(const LayerIdentity& layer) { return fmt::format("{}/{}/{}", layer.volume, layer.inode, layer.birth_ns); }

bool matches(const DiskIdentity& a, const DiskIdentity& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
           return layer_difference(x, y).empty();
         });
}

std::string first_difference(const DiskIdentity& before, const DiskIdentity& now) {
  for (std::size_t i = 0; i < std::min(before.size(), now.size()); ++i) {
    if (const auto text = layer_difference(before[i], now[i]); !text.empty()) {
      return fmt::format("layer {}: {}", shown(now[i].path), text);
    }
  }
  if (before.size() != now.size()) return fmt::format("the chain had {} layers, has {}", before.size(), now.size());
  return {};
}

Json to_json(const DiskIdentity& identity) {
  Json list = Json::array();
  for (const auto& layer : identity) {
    Json entry{{"path", layer.path},         {"volume", layer.volume},     {"inode", layer.inode},
               {"birth_ns", layer.birth_ns}, {"size", layer.size},         {"mtime_ns", layer.mtime_ns},
               {"ctime_ns", layer.ctime_ns}, {"header", layer.header.hex()}};
    if (!layer.incarnation.empty()) {
      entry["incarnation"] = layer.incarnation;
      entry["written"] = layer.written;
    }
    list.push_back(std::move(entry));
  }
  return list;
}

Result<DiskIdentity> identity_from_json(const Json& json) {
  if (!json.is_array()) return fail(Errc::failed, "disk identity: expected a list of layers");
  DiskIdentity identity;
  for (const auto& entry : json) {
    LayerIdentity layer;
    std::string digest;
    const bool complete = entry.is_object() && take(entry, "path", layer.path) && take_volume(entry, layer.volume) &&
                          take(entry, "inode", layer.inode) && take(entry, "birth_ns", layer.birth_ns) &&
                          take(entry, "size", layer.size) && take(entry, "mtime_ns", layer.mtime_ns) &&
                          take(entry, "ctime_ns", layer.ctime_ns) && take(entry, "header", digest) && take_written(entry, layer);
    if (!complete) return fail(Errc::failed, "disk identity: layer {} lacks a field or has a wrong type", identity.size());
    VMPATCH_TRY(layer.header, Digest::parse(digest));
    identity.push_back(std::move(layer));
  }
  return identity;
}

Result<LayerIdentity> identify_fd(int fd, const std::filesystem::path& path, bool is_qcow2) {
  struct statx info {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &info) != 0) {
    return errno_error(errno, "stat image " + shown(path));
  }
  struct stat plain {};
  if (::fstat(fd, &plain) != 0) return errno_error(errno, "stat image " + shown(path));
  LayerIdentity identity;
  identity.path = path.native();
  VMPATCH_TRY(identity.size, disk_size(fd, plain, path));
  identity.header = sha256("");
  if (is_qcow2) {
    VMPATCH_TRY(identity.header, header_digest(fd, path));
  }
  if (S_ISBLK(plain.st_mode)) {
    VMPATCH_CHECK(identify_device(fd, plain.st_rdev, path, is_qcow2, identity));
    return identity;
  }
  identity.volume = volume_of_file(fd, plain);
  identity.inode = info.stx_ino;
  if ((info.stx_mask & STATX_BTIME) != 0) identity.birth_ns = nanoseconds(info.stx_btime);
  identity.mtime_ns = nanoseconds(info.stx_mtime);
  identity.ctime_ns = nanoseconds(info.stx_ctime);
  return identity;
}

}  // namespace vmpatch::image
