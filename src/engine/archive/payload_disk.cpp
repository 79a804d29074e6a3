#include "engine/archive/payload_disk.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "vmpatch/core/format.hpp"

namespace vmpatch::engine {
namespace {

struct FreeWriter {
  void operator()(archive* a) const { archive_write_free(a); }
};
struct FreeEntry {
  void operator()(archive_entry* e) const { archive_entry_free(e); }
};

Error archive_failure(archive* a, const std::filesystem::path& path) {
  const char* text = archive_error_string(a);
  return fail(Errc::failed, "payload disk {}: {}", path.string(), text != nullptr ? text : "unknown error");
}

Result<void> add_file(archive* writer, const DiskFile& file, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(file.content.get(), &status) != 0) return errno_error(errno, file.name);
  std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), file.name.c_str());
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0444);
  archive_entry_set_size(entry.get(), status.st_size);
  if (archive_write_header(writer, entry.get()) != ARCHIVE_OK) return archive_failure(writer, path);
  std::array<char, 1U << 16U> buffer{};
  off_t offset = 0;
  while (offset < status.st_size) {
    const auto got = ::pread(file.content.get(), buffer.data(), buffer.size(), offset);
    if (got <= 0) return errno_error(got == 0 ? EIO : errno, file.name);
    if (archive_write_data(writer, buffer.data(), static_cast<std::size_t>(got)) != got) {
      return archive_failure(writer, path);
    }
    offset += got;
  }
  return {};
}

}  // namespace

Result<void> write_payload_disk(const std::filesystem::path& path, const std::vector<DiskFile>& files) {
  const UniqueFd out(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out) return errno_error(errno, path.string());
  std::unique_ptr<archive, FreeWriter> writer(archive_write_new());
  archive_write_set_format_iso9660(writer.get());
  // zisofs and the boot catalogue stay off; Rock Ridge keeps long names.
  if (archive_write_set_options(writer.get(), "iso9660:rockridge,iso9660:!zisofs") != ARCHIVE_OK ||
      archive_write_open_fd(writer.get(), out.get()) != ARCHIVE_OK) {
    return archive_failure(writer.get(), path);
  }
  for (const auto& file : files) VMPATCH_CHECK(add_file(writer.get(), file, path));
  if (archive_write_close(writer.get()) != ARCHIVE_OK) return archive_failure(writer.get(), path);
  return {};
}

}  // namespace vmpatch::engine
