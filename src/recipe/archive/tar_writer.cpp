#include "recipe/archive/handle.hpp"
#include "recipe/archive/tar.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::recipe {

struct TarWriter::State {
  WriteHandle handle;
  std::string name;

  [[nodiscard]] Error error() const { return fail(Errc::failed, "writing {}: {}", name, reason_of(handle.get())); }
};

TarWriter::TarWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
TarWriter::TarWriter(TarWriter&&) noexcept = default;
TarWriter& TarWriter::operator=(TarWriter&&) noexcept = default;
TarWriter::~TarWriter() = default;

Result<TarWriter> TarWriter::open(int fd, std::string name) {
  auto state = std::make_unique<State>();
  state->name = std::move(name);
  state->handle.reset(archive_write_new());
  auto* handle = state->handle.get();
  if (handle == nullptr) return fail(Errc::failed, "writing {}: no memory", state->name);
  // "Restricted" writes a pax header only where ustar cannot say it (a member of 8 GiB and more).
  if (archive_write_set_format_pax_restricted(handle) != ARCHIVE_OK || archive_write_open_fd(handle, fd) != ARCHIVE_OK)
    return state->error();
  return TarWriter(std::move(state));
}

Result<void> TarWriter::begin(const std::string& path, std::uint64_t size) {
  const EntryHandle entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), path.c_str());
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0444);
  archive_entry_set_mtime(entry.get(), 0, 0);
  archive_entry_set_uid(entry.get(), 0);
  archive_entry_set_gid(entry.get(), 0);
  if (archive_write_header(state_->handle.get(), entry.get()) != ARCHIVE_OK) return state_->error();
  return {};
}

Result<void> TarWriter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto done = archive_write_data(state_->handle.get(), bytes.data(), bytes.size());
    if (done <= 0) return state_->error();
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return {};
}

Result<void> TarWriter::finish() {
  if (archive_write_close(state_->handle.get()) != ARCHIVE_OK) return state_->error();
  return {};
}

}  // namespace vmpatch::recipe
