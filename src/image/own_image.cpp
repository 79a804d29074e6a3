// Own qcow2 files: overlays and undo images. The empty image is written here and not by qemu-img, because it is one
// write of known bytes: no tool runs as root, no path but the new file's is opened, and the backing file is not looked at.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "image/big_endian.hpp"
#include "image/open_file.hpp"
#include "image/qcow2_format.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/image/block_server.hpp"

namespace vmpatch::image {
namespace {

using namespace qcow2;

constexpr std::uint32_t cluster_bits = 16;
constexpr std::uint64_t cluster = 1ULL << cluster_bits;
constexpr std::uint32_t refcount_order = 4;  // 16-bit counts, as QEMU's default
constexpr std::uint64_t per_refcount_block = cluster / 2;

std::uint64_t divide_up(std::uint64_t value, std::uint64_t by) { return (value + by - 1) / by; }

/// Layout by clusters: header, refcount table, one refcount block, L1 table.
std::string empty_qcow2(std::uint64_t virtual_size, const std::string& backing_name, std::string_view backing_format) {
  const std::uint64_t l1_entries = divide_up(divide_up(virtual_size, cluster), cluster / 8);
  const std::uint64_t used = 3 + divide_up(l1_entries * 8, cluster);
  std::string bytes(used * cluster, '\0');
  write_be<std::uint32_t>(bytes, at_magic, magic);
  write_be<std::uint32_t>(bytes, at_version, 3);
  write_be<std::uint32_t>(bytes, at_cluster_bits, cluster_bits);
  write_be<std::uint64_t>(bytes, at_virtual_size, virtual_size);
  write_be<std::uint32_t>(bytes, at_l1_size, static_cast<std::uint32_t>(l1_entries));
  write_be<std::uint64_t>(bytes, at_l1_offset, 3 * cluster);
  write_be<std::uint64_t>(bytes, at_refcount_offset, cluster);
  write_be<std::uint32_t>(bytes, at_refcount_clusters, 1);
  write_be<std::uint32_t>(bytes, at_refcount_order, refcount_order);
  write_be<std::uint32_t>(bytes, at_header_length, v3_header_size);
  write_be<std::uint64_t>(bytes, cluster, 2 * cluster);
  for (std::uint64_t i = 0; i < used; ++i) write_be<std::uint16_t>(bytes, 2 * cluster + 2 * i, 1);

  if (!backing_name.empty()) {
    write_be<std::uint32_t>(bytes, v3_header_size, extension_backing_format);
    write_be<std::uint32_t>(bytes, v3_header_size + 4, static_cast<std::uint32_t>(backing_format.size()));
    bytes.replace(v3_header_size + 8, backing_format.size(), backing_format);
    // "raw" and "qcow2" both fit eight bytes; the end marker's eight zero bytes follow.
    const std::size_t name_at = v3_header_size + 8 + 8 + 8;
    write_be<std::uint64_t>(bytes, at_backing_offset, name_at);
    write_be<std::uint32_t>(bytes, at_backing_size, static_cast<std::uint32_t>(backing_name.size()));
    bytes.replace(name_at, backing_name.size(), backing_name);
  }
  return bytes;
}

Result<void> check_size(std::uint64_t virtual_size, const fs::path& path) {
  // 64 TiB and the 32 MiB limit of L1 tables meet at 2 TiB per MiB of table.
  constexpr std::uint64_t most = max_l1_bytes / 8 * (cluster / 8) * cluster;
  if (virtual_size == 0 || virtual_size % 512 != 0 || virtual_size > most) {
    return fail(Errc::refused, "cannot make image {} of {} bytes: the size must be a multiple of 512, at most {}",
                shown(path), virtual_size, format_size(most));
  }
  return {};
}

Result<OwnImage> create_new(const fs::path& path, const std::string& bytes) {
  OwnImage image;
  image.path = path;
  image.read_write = UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!image.read_write) return errno_error(errno, "create image " + shown(path));
  const auto fill = [&]() -> Result<void> {
    VMPATCH_CHECK(write_all(image.read_write.get(), bytes));
    if (::fsync(image.read_write.get()) != 0) return errno_error(errno, "sync image " + shown(path));
    VMPATCH_TRY(image.read_only, reopen_read_only(image.read_write.get(), path));
    return fsync_dir(path.parent_path());
  };
  if (auto filled = fill(); !filled) {
    ::unlink(path.c_str());
    return filled.error();
  }
  return image;
}

}  // namespace

Result<OwnImage> create_own_image(const fs::path& path, std::uint64_t virtual_size, const Layer* backing) {
  VMPATCH_CHECK(check_size(virtual_size, path));
  std::error_code error;
  const fs::path folder = fs::canonical(fs::absolute(path).parent_path(), error);
  if (error) return errno_error(error.value(), "find the folder of image " + shown(path));
  const std::string name = backing == nullptr ? std::string() : backing->path.native();
  if (name.size() > max_backing_name) {
    return fail(Errc::refused, "backing path {} is longer than {} bytes; move the image to a shorter path",
                escape_untrusted(name), max_backing_name);
  }
  const auto format = backing == nullptr ? std::string_view() : to_string(backing->format);
  return create_new(folder / path.filename(), empty_qcow2(virtual_size, name, format));
}

Result<OwnImage> open_own_image(const fs::path& path, std::uint64_t virtual_size, bool writable) {
  VMPATCH_TRY(auto canonical, canonical_image_path(path));
  VMPATCH_TRY(auto file, open_disk_file(canonical, O_RDONLY));
  VMPATCH_TRY(const auto header, load_qcow2_header(file.fd.get(), file.size, virtual_size, canonical));
  if (header.virtual_size != virtual_size) {
    return fail(Errc::refused, "image {} is {} bytes large, not {} as the disk it belongs to", shown(canonical),
                header.virtual_size, virtual_size);
  }
  OwnImage image;
  if (writable) {
    VMPATCH_TRY(auto again, open_disk_file(canonical, O_RDWR));
    if (again.info.st_dev != file.info.st_dev || again.info.st_ino != file.info.st_ino) {
      return fail(Errc::refused, "image {} was replaced while it was opened; start again", shown(canonical));
    }
    image.read_write = std::move(again.fd);
  }
  image.path = std::move(canonical);
  image.read_only = std::move(file.fd);
  return image;
}

}  // namespace vmpatch::image
