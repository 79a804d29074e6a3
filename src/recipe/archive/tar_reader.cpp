#include <unistd.h>

#include "recipe/archive/handle.hpp"
#include "recipe/archive/tar.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/utf8_names.hpp"

namespace vmpatch::recipe {

struct TarReader::State {
  ReadHandle handle;
  std::string name;
};

TarReader::TarReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
TarReader::TarReader(TarReader&&) noexcept = default;
TarReader& TarReader::operator=(TarReader&&) noexcept = default;
TarReader::~TarReader() = default;

const std::string& TarReader::name() const { return state_->name; }

Result<TarReader> TarReader::open(int fd, std::string name) {
  auto state = std::make_unique<State>();
  state->name = std::move(name);
  state->handle.reset(archive_read_new());
  auto* handle = state->handle.get();
  if (::lseek(fd, 0, SEEK_SET) != 0) return fail(Errc::failed, "{}: not a seekable file", state->name);
  if (handle == nullptr || archive_read_support_format_tar(handle) != ARCHIVE_OK ||
      archive_read_open_fd(handle, fd, 64U << 10U) != ARCHIVE_OK)
    return fail(Errc::untrusted, "{}: not a bundle (a tar archive): {}", state->name,
                handle == nullptr ? "no memory" : escape_untrusted(reason_of(handle)));
  return TarReader(std::move(state));
}

Result<std::optional<TarReader::Member>> TarReader::next() {
  const Utf8Names utf8;
  auto* handle = state_->handle.get();
  archive_entry* entry = nullptr;
  const int status = archive_read_next_header(handle, &entry);
  if (status == ARCHIVE_EOF) return std::optional<Member>();
  if (status != ARCHIVE_OK)
    return fail(Errc::untrusted, "{}: damaged archive: {}", state_->name, escape_untrusted(reason_of(handle)));
  const char* path = archive_entry_pathname(entry);
  if (path == nullptr) return fail(Errc::untrusted, "{}: a member has no readable name", state_->name);
  const bool plain = archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == nullptr &&
                     archive_entry_symlink(entry) == nullptr && archive_entry_sparse_count(entry) == 0 &&
                     archive_entry_size_is_set(entry) != 0 && archive_entry_size(entry) >= 0;
  if (!plain) return fail(Errc::untrusted, "{}: member '{}' is not a plain file", state_->name, escape_untrusted(path));
  return std::optional<Member>(Member{path, static_cast<std::uint64_t>(archive_entry_size(entry))});
}

Result<std::size_t> TarReader::read(char* buffer, std::size_t size) {
  auto* handle = state_->handle.get();
  const auto got = archive_read_data(handle, buffer, size);
  if (got < 0)
    return fail(Errc::untrusted, "{}: damaged archive: {}", state_->name, escape_untrusted(reason_of(handle)));
  return static_cast<std::size_t>(got);
}

}  // namespace vmpatch::recipe
