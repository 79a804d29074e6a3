#include "image/snapshot_view.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "image/big_endian.hpp"
#include "image/new_qcow2.hpp"
#include "image/open_file.hpp"
#include "image/qcow2_format.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::image {
namespace {

Result<InternalSnapshot> find_snapshot(const Layer& layer, const std::string& id) {
  VMPATCH_TRY(const auto all, internal_snapshots(layer));
  const auto found = std::find_if(all.begin(), all.end(), [&](const InternalSnapshot& one) { return one.id == id; });
  if (found != all.end()) return *found;
  return fail(Errc::not_found, "image {} has no internal snapshot with id {}; qemu-img snapshot -l lists them", shown(layer.path),
              escape_untrusted(id));
}

/// The start of the file, with the header of the snapshot.
Result<std::string> snapshot_header(const Layer& layer, const InternalSnapshot& snapshot) {
  VMPATCH_TRY(auto bytes, read_at(layer.fd.get(), 0, new_cluster, layer.path));
  if (bytes.size() < qcow2::v2_header_size) return fail(Errc::refused, "image {} is cut off", shown(layer.path));
  write_be<std::uint64_t>(bytes, qcow2::at_virtual_size, snapshot.virtual_size.value_or(layer.virtual_size));
  write_be<std::uint32_t>(bytes, qcow2::at_l1_size, snapshot.l1_entries);
  write_be<std::uint64_t>(bytes, qcow2::at_l1_offset, snapshot.l1_offset);
  write_be<std::uint32_t>(bytes, qcow2::at_snapshot_count, 0);
  write_be<std::uint64_t>(bytes, qcow2::at_snapshots_offset, 0);
  return bytes;
}

Result<UniqueFd> make_memory_file(const std::string& bytes, const fs::path& path) {
  const UniqueFd file(::memfd_create("vm-patch-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return errno_error(errno, "make a view of image " + shown(path));
  VMPATCH_CHECK(write_all(file.get(), bytes));
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
    return errno_error(errno, "seal the view of image " + shown(path));
  }
  return reopen_read_only(file.get(), path);
}

}  // namespace

Result<void> show_snapshot(Layer& layer, const std::string& id, std::uint64_t max_virtual_size) {
  VMPATCH_TRY(const auto snapshot, find_snapshot(layer, id));
  const std::string what = fmt::format("snapshot {} of image {}", escape_untrusted(snapshot.name), shown(layer.path));
  VMPATCH_TRY(const auto start, snapshot_header(layer, snapshot));
  auto header = parse_qcow2_header(start, layer.file_size, max_virtual_size);
  if (!header) return header.error().in(what);
  constexpr std::uint64_t sector = 512;
  if (header->virtual_size % sector != 0) {
    return fail(Errc::refused, "{} has a size of {} bytes, not a multiple of 512", what, header->virtual_size);
  }
  const std::uint64_t size = (layer.file_size + sector - 1) / sector * sector;
  if (size > max_new_qcow2) return fail(Errc::refused, "{}: the file is larger than {}", what, format_size(max_new_qcow2));
  VMPATCH_TRY(layer.snapshot_view, make_memory_file(make_new_qcow2({size, {}, {}, start}), layer.path));
  layer.virtual_size = header->virtual_size;
  layer.header = std::move(*header);
  return {};
}

}  // namespace vmpatch::image
