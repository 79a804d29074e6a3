#include "engine/archive/contents.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/utf8_names.hpp"

namespace vmpatch::engine {
namespace {

constexpr std::size_t most_entries = 1'000'000;
constexpr std::uint64_t most_bytes = 16ULL << 30U;
constexpr std::size_t block = 1U << 16U;

struct FreeReader {
  void operator()(archive* a) const { archive_read_free(a); }
};
struct FreeWriter {
  void operator()(archive* a) const { archive_write_free(a); }
};

std::string problem(archive* a) {
  const char* text = archive_error_string(a);
  return text != nullptr ? text : "unknown error";
}

/// "a/b", or nothing when the name leads out of its folder.
std::string normal_path(std::string_view raw) {
  std::string path;
  for (const auto part : split(raw, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return {};
    if (!path.empty()) path += '/';
    path += part;
  }
  return raw.starts_with('/') ? std::string() : path;
}

using Visit = std::function<Result<void>(archive* reader, archive_entry* entry, const std::string& path)>;

Result<void> walk(int fd, const std::string& name, const Visit& visit) {
  if (::lseek(fd, 0, SEEK_SET) != 0) return errno_error(errno, name);
  std::unique_ptr<archive, FreeReader> reader(archive_read_new());
  archive_read_support_filter_all(reader.get());
  archive_read_support_format_all(reader.get());
  if (archive_read_open_fd(reader.get(), fd, block) != ARCHIVE_OK) {
    return fail(Errc::failed, "payload {} is not an archive: {}", name, problem(reader.get()));
  }
  std::uint64_t total = 0;
  for (std::size_t count = 0;; ++count) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) return {};
    if (status != ARCHIVE_OK) return fail(Errc::failed, "payload {}: {}", name, problem(reader.get()));
    const char* raw = archive_entry_pathname(entry);
    const auto path = normal_path(raw != nullptr ? raw : "/");
    if (path.empty() && archive_entry_filetype(entry) == AE_IFDIR && raw != nullptr && *raw != '/') continue;
    if (path.empty()) {
      return fail(Errc::refused, "payload {}: member '{}' would land outside its folder", name,
                  escape_untrusted(raw != nullptr ? raw : ""));
    }
    const auto size = archive_entry_size(entry);
    total += size > 0 ? static_cast<std::uint64_t>(size) : 0;
    if (count >= most_entries || total > most_bytes) return fail(Errc::refused, "payload {} unpacks to too much", name);
    VMPATCH_CHECK(visit(reader.get(), entry, path));
  }
}

Result<void> each_block(archive* reader, const std::string& name,
                        const std::function<Result<void>(std::string_view)>& take) {
  std::array<char, block> buffer{};
  for (;;) {
    const auto got = archive_read_data(reader, buffer.data(), buffer.size());
    if (got == 0) return {};
    if (got < 0) return fail(Errc::failed, "payload {}: {}", name, problem(reader));
    VMPATCH_CHECK(take({buffer.data(), static_cast<std::size_t>(got)}));
  }
}

Result<ArchiveEntry::Kind> kind_of(archive_entry* entry, const std::string& name, const std::string& path) {
  if (archive_entry_hardlink(entry) == nullptr) {
    switch (archive_entry_filetype(entry)) {
      case AE_IFREG: return ArchiveEntry::Kind::regular;
      case AE_IFDIR: return ArchiveEntry::Kind::directory;
      case AE_IFLNK: return ArchiveEntry::Kind::symlink;
      default: break;
    }
  }
  return fail(Errc::refused, "payload {}: member '{}' is neither a file, a folder nor a symlink", name,
              escape_untrusted(path));
}

}  // namespace

Result<std::vector<ArchiveEntry>> list_archive(int fd, const std::string& name) {
  const Utf8Names utf8;
  std::vector<ArchiveEntry> entries;
  auto visit = [&](archive* reader, archive_entry* raw, const std::string& path) -> Result<void> {
    ArchiveEntry entry;
    entry.path = path;
    VMPATCH_TRY(entry.kind, kind_of(raw, name, path));
    entry.mode = static_cast<unsigned>(archive_entry_perm(raw));
    entry.uid = static_cast<std::uint32_t>(archive_entry_uid(raw));
    entry.gid = static_cast<std::uint32_t>(archive_entry_gid(raw));
    if (const char* target = archive_entry_symlink(raw)) entry.target = target;
    Sha256 hash;
    VMPATCH_CHECK(each_block(reader, name, [&](std::string_view bytes) -> Result<void> {
      hash.update(bytes);
      return {};
    }));
    entry.sha256 = hash.finish();
    entries.push_back(std::move(entry));
    return {};
  };
  VMPATCH_CHECK(walk(fd, name, visit));
  return entries;
}

Result<void> write_plain_tar(int fd, const std::string& name, int out_fd) {
  const Utf8Names utf8;
  std::unique_ptr<archive, FreeWriter> writer(archive_write_new());
  archive_write_set_format_pax_restricted(writer.get());
  archive_write_add_filter_none(writer.get());
  if (archive_write_open_fd(writer.get(), out_fd) != ARCHIVE_OK) return fail(Errc::failed, "{}", problem(writer.get()));
  auto visit = [&](archive* reader, archive_entry* raw, const std::string& path) -> Result<void> {
    VMPATCH_TRY(const auto kind, kind_of(raw, name, path));
    (void)kind;
    archive_entry_set_pathname(raw, path.c_str());
    if (archive_write_header(writer.get(), raw) != ARCHIVE_OK) return fail(Errc::failed, "{}", problem(writer.get()));
    return each_block(reader, name, [&](std::string_view bytes) -> Result<void> {
      if (archive_write_data(writer.get(), bytes.data(), bytes.size()) < 0) {
        return fail(Errc::failed, "{}", problem(writer.get()));
      }
      return {};
    });
  };
  VMPATCH_CHECK(walk(fd, name, visit));
  if (archive_write_close(writer.get()) != ARCHIVE_OK) return fail(Errc::failed, "{}", problem(writer.get()));
  return {};
}

}  // namespace vmpatch::engine
