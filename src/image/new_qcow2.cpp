#include "image/new_qcow2.hpp"

#include "image/big_endian.hpp"

namespace vmpatch::image {
namespace {

using namespace qcow2;

constexpr std::uint64_t cluster = new_cluster;
constexpr std::uint32_t refcount_order = 4;  // 16-bit counts, as QEMU's default
constexpr std::uint64_t copied = 1ULL << 63U;  // "refcount is exactly one"

std::uint64_t divide_up(std::uint64_t value, std::uint64_t by) { return (value + by - 1) / by; }

void write_backing(std::string& bytes, const NewQcow2& image) {
  write_be<std::uint32_t>(bytes, v3_header_size, extension_backing_format);
  write_be<std::uint32_t>(bytes, v3_header_size + 4, static_cast<std::uint32_t>(image.backing_format.size()));
  bytes.replace(v3_header_size + 8, image.backing_format.size(), image.backing_format);
  // "raw" and "qcow2" both fit eight bytes; the end marker's eight zero bytes follow.
  const std::size_t name_at = v3_header_size + 8 + 8 + 8;
  write_be<std::uint64_t>(bytes, at_backing_offset, name_at);
  write_be<std::uint32_t>(bytes, at_backing_size, static_cast<std::uint32_t>(image.backing_name.size()));
  bytes.replace(name_at, image.backing_name.size(), image.backing_name);
}

}  // namespace

// Layout by clusters: header, refcount table, one refcount block, L1 table; L2 table and data of the first bytes.
std::string make_new_qcow2(const NewQcow2& image) {
  const std::uint64_t l1_entries = divide_up(divide_up(image.virtual_size, cluster), cluster / 8);
  const std::uint64_t l2_at = 3 + divide_up(l1_entries * 8, cluster);
  const std::uint64_t used = l2_at + (image.first_bytes.empty() ? 0 : 2);
  std::string bytes(used * cluster, '\0');
  write_be<std::uint32_t>(bytes, at_magic, magic);
  write_be<std::uint32_t>(bytes, at_version, 3);
  write_be<std::uint32_t>(bytes, at_cluster_bits, new_cluster_bits);
  write_be<std::uint64_t>(bytes, at_virtual_size, image.virtual_size);
  write_be<std::uint32_t>(bytes, at_l1_size, static_cast<std::uint32_t>(l1_entries));
  write_be<std::uint64_t>(bytes, at_l1_offset, 3 * cluster);
  write_be<std::uint64_t>(bytes, at_refcount_offset, cluster);
  write_be<std::uint32_t>(bytes, at_refcount_clusters, 1);
  write_be<std::uint32_t>(bytes, at_refcount_order, refcount_order);
  write_be<std::uint32_t>(bytes, at_header_length, v3_header_size);
  write_be<std::uint64_t>(bytes, cluster, 2 * cluster);
  for (std::uint64_t i = 0; i < used; ++i) write_be<std::uint16_t>(bytes, 2 * cluster + 2 * i, 1);
  if (!image.backing_name.empty()) write_backing(bytes, image);
  if (!image.first_bytes.empty()) {
    write_be<std::uint64_t>(bytes, 3 * cluster, (l2_at * cluster) | copied);
    write_be<std::uint64_t>(bytes, l2_at * cluster, ((l2_at + 1) * cluster) | copied);
    bytes.replace((l2_at + 1) * cluster, image.first_bytes.size(), image.first_bytes);
  }
  return bytes;
}

}  // namespace vmpatch::image
