#pragma once
// Cost in proportion to the change: what an overlay holds, and copying or comparing exactly that, over NBD (libnbd).

#include <cstdint>
#include <optional>
#include <vector>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/image/block_server.hpp"

namespace vmpatch::image {

struct Extent {
  std::uint64_t offset = 0;  ///< bytes
  std::uint64_t length = 0;
};

/// Clusters that the top image of an exported overlay holds itself (meta context qemu:allocation-depth == 1),
/// neighbours joined, in order.
Result<std::vector<Extent>> held_extents(const NbdExport& overlay);

/// What of a disk is not known to read as zeros (meta context base:allocation), neighbours joined, in order.
Result<std::vector<Extent>> data_extents(const NbdExport& disk);

/// Reads `extents` from `from` and writes them to the same offsets of `to` (as data, so that zeros are held too), flushes.
Result<void> copy_extents(const NbdExport& from, const NbdExport& to, const std::vector<Extent>& extents,
                          const Progress& progress);

/// Errc::failed with the first differing offset; success when equal.
Result<void> compare_extents(const NbdExport& a, const NbdExport& b, const std::vector<Extent>& extents);

/// The blocks of 4 KiB within `extents` in which the two differ, neighbours joined.
Result<std::vector<Extent>> differing_extents(const NbdExport& a, const NbdExport& b, const std::vector<Extent>& extents);

/// How the content of one disk relates to two others (and a third one), in bytes. Counted by sectors of 512: what a kill or a power
/// failure leaves is never torn within one.
struct Relation {
  std::uint64_t as_both = 0;    ///< the two are equal there
  std::uint64_t as_first = 0;   ///< equal to the first only
  std::uint64_t as_second = 0;
  std::uint64_t as_third = 0;   ///< equal to neither, but to the third
  std::uint64_t zero = 0;       ///< equal to none, and all zero
  std::uint64_t none = 0;       ///< equal to none
  std::optional<std::uint64_t> first_other;  ///< offset of the first sector of `zero` or `none`
};
/// `third` may be null.
Result<Relation> relate_extents(const NbdExport& disk, const NbdExport& first, const NbdExport& second, const NbdExport* third,
                                const std::vector<Extent>& extents, const Progress& progress);

/// SHA-256 of every piece of `extents`, cut at multiples of `digest_piece` bytes of the disk.
struct PieceDigest {
  Extent piece;
  Digest digest;
};
inline constexpr std::uint64_t digest_piece = 64U << 10U;
Result<std::vector<PieceDigest>> digest_extents(const NbdExport& disk, const std::vector<Extent>& extents, const Progress& progress);

[[nodiscard]] std::uint64_t total_length(const std::vector<Extent>& extents);

/// Bytes of `a` that `b` does not cover; both sorted, each without overlaps.
[[nodiscard]] std::uint64_t uncovered_length(const std::vector<Extent>& a, const std::vector<Extent>& b);

}  // namespace vmpatch::image
