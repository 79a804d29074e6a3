#pragma once
// Hand-made qcow2 files, field by field, valid until a test breaks one.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "image/big_endian.hpp"
#include "image/qcow2_format.hpp"

namespace vmpatch::image::test {

struct Qcow2Bytes {
  std::uint32_t version = 3;
  std::uint64_t virtual_size = 1U << 20U;
  std::string backing;
  std::optional<std::string> backing_format;
  std::vector<std::pair<std::uint32_t, std::string>> extensions;
  std::string snapshot_table;
  std::uint32_t snapshot_count = 0;

  static constexpr std::uint64_t cluster = 65536;

  /// Header, refcount table, refcount block, L1 table, snapshot table; a cluster each.
  [[nodiscard]] std::string build() const {
    std::string bytes(5 * cluster, '\0');
    write_be<std::uint32_t>(bytes, qcow2::at_magic, qcow2::magic);
    write_be<std::uint32_t>(bytes, qcow2::at_version, version);
    write_be<std::uint32_t>(bytes, qcow2::at_cluster_bits, 16);
    write_be<std::uint64_t>(bytes, qcow2::at_virtual_size, virtual_size);
    write_be<std::uint32_t>(bytes, qcow2::at_l1_size, 1);
    write_be<std::uint64_t>(bytes, qcow2::at_l1_offset, 3 * cluster);
    write_be<std::uint64_t>(bytes, qcow2::at_refcount_offset, cluster);
    write_be<std::uint32_t>(bytes, qcow2::at_refcount_clusters, 1);
    std::size_t at = qcow2::v2_header_size;
    if (version != 2) {
      write_be<std::uint32_t>(bytes, qcow2::at_refcount_order, 4);
      write_be<std::uint32_t>(bytes, qcow2::at_header_length, qcow2::v3_header_size);
      at = qcow2::v3_header_size;
    }
    if (backing_format) add_extension(bytes, at, qcow2::extension_backing_format, *backing_format);
    for (const auto& [type, data] : extensions) add_extension(bytes, at, type, data);
    at += 8;
    if (!backing.empty()) {
      write_be<std::uint64_t>(bytes, qcow2::at_backing_offset, at);
      write_be<std::uint32_t>(bytes, qcow2::at_backing_size, static_cast<std::uint32_t>(backing.size()));
      bytes.replace(at, backing.size(), backing);
    }
    if (snapshot_count > 0) {
      write_be<std::uint32_t>(bytes, qcow2::at_snapshot_count, snapshot_count);
      write_be<std::uint64_t>(bytes, qcow2::at_snapshots_offset, 4 * cluster);
      bytes.replace(4 * cluster, snapshot_table.size(), snapshot_table);
    }
    return bytes;
  }

  static void add_extension(std::string& bytes, std::size_t& at, std::uint32_t type, const std::string& data) {
    write_be<std::uint32_t>(bytes, at, type);
    write_be<std::uint32_t>(bytes, at + 4, static_cast<std::uint32_t>(data.size()));
    bytes.replace(at + 8, data.size(), data);
    at += 8 + (data.size() + 7) / 8 * 8;
  }
};

inline std::string snapshot_entry(const std::string& id, const std::string& name, std::uint64_t vm_state_size,
                                  bool large) {
  std::string entry(40, '\0');
  write_be<std::uint16_t>(entry, 12, static_cast<std::uint16_t>(id.size()));
  write_be<std::uint16_t>(entry, 14, static_cast<std::uint16_t>(name.size()));
  if (large) {
    write_be<std::uint32_t>(entry, 36, 16);
    std::string extra(16, '\0');
    write_be<std::uint64_t>(extra, 0, vm_state_size);
    entry += extra;
  } else {
    write_be<std::uint32_t>(entry, 32, static_cast<std::uint32_t>(vm_state_size));
  }
  entry += id + name;
  entry.resize((entry.size() + 7) / 8 * 8, '\0');
  return entry;
}

}  // namespace vmpatch::image::test
