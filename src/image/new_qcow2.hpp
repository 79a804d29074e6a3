#pragma once
// The bytes of a new qcow2 file. Made here and not by qemu-img: they are known bytes, so no tool runs as root, no path is
// opened, and the backing file is not looked at.

#include <cstdint>
#include <string>
#include <string_view>

#include "image/qcow2_format.hpp"

namespace vmpatch::image {

inline constexpr std::uint32_t new_cluster_bits = 16;
inline constexpr std::uint64_t new_cluster = 1ULL << new_cluster_bits;
/// 64 TiB and the 32 MiB limit of L1 tables meet at 2 TiB per MiB of table.
inline constexpr std::uint64_t max_new_qcow2 = qcow2::max_l1_bytes / 8 * (new_cluster / 8) * new_cluster;

struct NewQcow2 {
  std::uint64_t virtual_size = 0;  ///< bytes, 1 to max_new_qcow2
  std::string_view backing_name;   ///< empty = none; at most max_backing_name bytes
  std::string_view backing_format;
  std::string_view first_bytes;    ///< content of the disk's start, at most one cluster; empty = nothing is written
};
std::string make_new_qcow2(const NewQcow2& image);

}  // namespace vmpatch::image
