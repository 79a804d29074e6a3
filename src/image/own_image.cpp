// Own qcow2 files: overlays and undo images.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "image/new_qcow2.hpp"
#include "image/open_file.hpp"
#include "image/qcow2_format.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/image/block_server.hpp"

namespace vmpatch::image {
namespace {

Result<void> check_size(std::uint64_t virtual_size, const fs::path& path) {
  if (virtual_size == 0 || virtual_size % 512 != 0 || virtual_size > max_new_qcow2) {
    return fail(Errc::refused, "cannot make image {} of {} bytes: the size must be a multiple of 512, at most {}",
                shown(path), virtual_size, format_size(max_new_qcow2));
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
  if (name.size() > qcow2::max_backing_name) {
    return fail(Errc::refused, "backing path {} is longer than {} bytes; move the image to a shorter path",
                escape_untrusted(name), qcow2::max_backing_name);
  }
  const auto format = backing == nullptr ? std::string_view() : to_string(backing->format);
  return create_new(folder / path.filename(), make_new_qcow2({virtual_size, name, format, {}}));
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
