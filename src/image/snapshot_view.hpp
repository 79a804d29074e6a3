#pragma once
// A qcow2 file as one of its internal snapshots, without a change to the file: a snapshot is an L1 table of its own, so the
// view is the same file under a header that names that table.

#include "vmpatch/image/chain.hpp"

namespace vmpatch::image {

/// Fills layer.snapshot_view, and header and virtual size with those of the snapshot. Errc::not_found: no snapshot has this id.
/// Errc::refused: raw image, or a table that the header screen refuses.
Result<void> show_snapshot(Layer& layer, const std::string& id, std::uint64_t max_virtual_size);

}  // namespace vmpatch::image
