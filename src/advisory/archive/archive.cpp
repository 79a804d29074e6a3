#include "advisory/archive/archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/utf8_names.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t block = 1U << 16U;

struct FreeReader {
  void operator()(archive* a) const { archive_read_free(a); }
};
using Reader = std::unique_ptr<archive, FreeReader>;

std::string problem(archive* a) {
  const char* text = archive_error_string(a);
  return text != nullptr ? escape_untrusted(text) : "unknown error";
}

Result<Reader> open(int fd, int (*format)(archive*), int (*filter)(archive*)) {
  if (::lseek(fd, 0, SEEK_SET) != 0) return errno_error(errno, "cannot go to its start");
  Reader reader(archive_read_new());
  if (!reader || format(reader.get()) != ARCHIVE_OK || filter(reader.get()) != ARCHIVE_OK) {
    return fail(Errc::failed, "this libarchive lacks zip or gzip");
  }
  if (archive_read_open_fd(reader.get(), fd, block) != ARCHIVE_OK) return fail(Errc::failed, "cannot unpack: {}", problem(reader.get()));
  return reader;
}

/// False when the entry is larger than `limit`.
Result<bool> read_entry(archive* reader, std::size_t limit, std::string& bytes) {
  bytes.clear();
  for (;;) {
    const std::size_t before = bytes.size();
    if (before > limit) return false;
    bytes.resize(before + block);
    const auto got = archive_read_data(reader, bytes.data() + before, block);
    if (got < 0) return fail(Errc::failed, "cannot unpack: {}", problem(reader));
    bytes.resize(before + static_cast<std::size_t>(got));
    if (got == 0) return true;
  }
}

class GzipSource final : public ByteSource {
 public:
  GzipSource(Reader reader, std::uint64_t max_bytes) : reader_(std::move(reader)), rest_(max_bytes) {}

  Result<std::size_t> read(char* to, std::size_t size) override {
    const auto got = archive_read_data(reader_.get(), to, size);
    if (got < 0) return fail(Errc::failed, "cannot unpack: {}", problem(reader_.get()));
    if (static_cast<std::uint64_t>(got) > rest_) return fail(Errc::failed, "unpacks to too much");
    rest_ -= static_cast<std::uint64_t>(got);
    return static_cast<std::size_t>(got);
  }

 private:
  Reader reader_;
  std::uint64_t rest_;
};

}  // namespace

Result<void> each_zip_entry(int fd, const ZipLimits& limits, const ZipVisit& visit) {
  const Utf8Names utf8;
  VMPATCH_TRY(const Reader reader, open(fd, archive_read_support_format_zip, archive_read_support_filter_none));
  std::uint64_t total = 0;
  std::string bytes;
  for (std::uint64_t count = 0;; ++count) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) return {};
    if (status != ARCHIVE_OK) return fail(Errc::failed, "cannot unpack: {}", problem(reader.get()));
    if (count >= limits.entries) return fail(Errc::failed, "has more than {} entries", limits.entries);
    const char* raw = archive_entry_pathname(entry);
    const std::string name = raw != nullptr ? raw : "";
    if (archive_entry_filetype(entry) != AE_IFREG || !name.ends_with(".json")) continue;
    VMPATCH_TRY(const bool whole, read_entry(reader.get(), limits.entry, bytes));
    total += bytes.size();
    if (total > limits.total) return fail(Errc::failed, "unpacks to more than {}", format_size(limits.total));
    VMPATCH_CHECK(visit(name, whole ? std::string_view(bytes) : std::string_view(), !whole));
  }
}

Result<std::unique_ptr<ByteSource>> open_gzip(int fd, std::uint64_t max_bytes) {
  VMPATCH_TRY(Reader reader, open(fd, archive_read_support_format_raw, archive_read_support_filter_gzip));
  archive_entry* entry = nullptr;
  if (archive_read_next_header(reader.get(), &entry) != ARCHIVE_OK) return fail(Errc::failed, "cannot unpack: {}", problem(reader.get()));
  return std::unique_ptr<ByteSource>(std::make_unique<GzipSource>(std::move(reader), max_bytes));
}

}  // namespace vmpatch::advisory
