// The snapshot table of a qcow2 file: variable-length entries, each of them hostile.
#include "image/snapshots.hpp"

#include <algorithm>
#include <optional>

#include "image/big_endian.hpp"
#include "image/open_file.hpp"
#include "image/qcow2_format.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::image {
namespace {

constexpr std::size_t fixed_size = 40;
constexpr std::size_t at_l1_offset = 0;
constexpr std::size_t at_l1_entries = 8;
constexpr std::size_t at_id_length = 12;
constexpr std::size_t at_name_length = 14;
constexpr std::size_t at_seconds = 16;
constexpr std::size_t at_vm_state_size = 32;
constexpr std::size_t at_extra_length = 36;

/// Nothing when `bytes` do not hold all entries.
std::optional<SnapshotTable> parse_table(std::string_view bytes, std::uint32_t count) {
  SnapshotTable table;
  std::size_t at = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (bytes.size() - at < fixed_size) return std::nullopt;
    const std::size_t id_length = read_be<std::uint16_t>(bytes, at + at_id_length);
    const std::size_t name_length = read_be<std::uint16_t>(bytes, at + at_name_length);
    const std::size_t extra_length = read_be<std::uint32_t>(bytes, at + at_extra_length);
    if (bytes.size() - at - fixed_size < extra_length + id_length + name_length) return std::nullopt;
    const std::size_t extra = at + fixed_size;
    InternalSnapshot snapshot;
    // Version 3 images hold the 64-bit size in the extra data, and it rules.
    snapshot.vm_state_size = extra_length >= 8 ? read_be<std::uint64_t>(bytes, extra)
                                               : read_be<std::uint32_t>(bytes, at + at_vm_state_size);
    if (extra_length >= 16) snapshot.virtual_size = read_be<std::uint64_t>(bytes, extra + 8);
    snapshot.l1_offset = read_be<std::uint64_t>(bytes, at + at_l1_offset);
    snapshot.l1_entries = read_be<std::uint32_t>(bytes, at + at_l1_entries);
    snapshot.taken = std::chrono::seconds(read_be<std::uint32_t>(bytes, at + at_seconds));
    snapshot.id = bytes.substr(extra + extra_length, id_length);
    snapshot.name = bytes.substr(extra + extra_length + id_length, name_length);
    table.snapshots.push_back(std::move(snapshot));
    // The last entry's padding may lie behind the end of the file.
    at = std::min((extra + extra_length + id_length + name_length + 7) / 8 * 8, bytes.size());
  }
  table.bytes = bytes.substr(0, at);
  return table;
}

}  // namespace

Result<SnapshotTable> load_snapshot_table(int fd, std::uint64_t offset, std::uint32_t count, const fs::path& path) {
  if (count == 0) return SnapshotTable{};
  if (count > qcow2::max_snapshots || offset > (1ULL << 62U)) {
    return fail(Errc::refused, "image {}: qcow2 snapshot table of {} entries at {} is not possible; check it with qemu-img check",
                shown(path), count, offset);
  }
  // The length stands nowhere but in the entries. Nearly all tables are small, and the gate reads them.
  for (std::uint64_t length = 64U << 10U; length <= qcow2::max_snapshot_table; length *= 16) {
    VMPATCH_TRY(const std::string bytes, read_at(fd, offset, length, path));
    if (auto table = parse_table(bytes, count)) return std::move(*table);
    if (bytes.size() < length) break;
  }
  return fail(Errc::refused, "image {}: qcow2 snapshot table is cut off or larger than 16 MiB; check it with qemu-img check",
              shown(path));
}

Result<std::vector<InternalSnapshot>> internal_snapshots(const Layer& layer) {
  if (!layer.header) return std::vector<InternalSnapshot>{};
  VMPATCH_TRY(auto table, load_snapshot_table(layer.fd.get(), layer.header->snapshots_offset,
                                              layer.header->snapshot_count, layer.path));
  return std::move(table.snapshots);
}

}  // namespace vmpatch::image
