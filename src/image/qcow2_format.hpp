#pragma once
// Numbers of the qcow2 format. Source: QEMU docs/interop/qcow2.txt and block/qcow2.h (limits).

#include <cstdint>

namespace vmpatch::image::qcow2 {

inline constexpr std::uint32_t magic = 0x514649fbU;  // "QFI\xfb"
inline constexpr std::size_t v2_header_size = 72;
inline constexpr std::size_t v3_header_size = 104;

// Offsets of header fields.
inline constexpr std::size_t at_magic = 0;
inline constexpr std::size_t at_version = 4;
inline constexpr std::size_t at_backing_offset = 8;
inline constexpr std::size_t at_backing_size = 16;
inline constexpr std::size_t at_cluster_bits = 20;
inline constexpr std::size_t at_virtual_size = 24;
inline constexpr std::size_t at_crypt_method = 32;
inline constexpr std::size_t at_l1_size = 36;
inline constexpr std::size_t at_l1_offset = 40;
inline constexpr std::size_t at_refcount_offset = 48;
inline constexpr std::size_t at_refcount_clusters = 56;
inline constexpr std::size_t at_snapshot_count = 60;
inline constexpr std::size_t at_snapshots_offset = 64;
inline constexpr std::size_t at_incompatible = 72;
inline constexpr std::size_t at_compatible = 80;
inline constexpr std::size_t at_refcount_order = 96;
inline constexpr std::size_t at_header_length = 100;
inline constexpr std::size_t at_compression_type = 104;

inline constexpr std::uint64_t incompatible_dirty = 1U << 0U;
inline constexpr std::uint64_t incompatible_corrupt = 1U << 1U;
inline constexpr std::uint64_t incompatible_data_file = 1U << 2U;
inline constexpr std::uint64_t incompatible_compression_type = 1U << 3U;
inline constexpr std::uint64_t incompatible_extended_l2 = 1U << 4U;

inline constexpr std::uint32_t extension_end = 0;
inline constexpr std::uint32_t extension_backing_format = 0xe2792acaU;
inline constexpr std::uint32_t extension_data_file = 0x44415441U;
inline constexpr std::uint32_t extension_encryption = 0x0537be77U;

inline constexpr std::uint32_t min_cluster_bits = 9;
inline constexpr std::uint32_t max_cluster_bits = 21;
inline constexpr std::uint64_t max_l1_bytes = 32U << 20U;
inline constexpr std::uint64_t max_refcount_table_bytes = 8U << 20U;
inline constexpr std::uint32_t max_snapshots = 65536;
inline constexpr std::uint64_t max_snapshot_table = 16U << 20U;
inline constexpr std::uint32_t max_backing_name = 1023;

}  // namespace vmpatch::image::qcow2
