#pragma once
// The commit protocol's two halves: capture what will be overwritten, then write what the overlay holds. Cost in proportion to
// the change.

#include "engine/disks.hpp"
#include "vmpatch/engine/engine.hpp"
#include "vmpatch/image/extents.hpp"

namespace vmpatch::engine {

/// A disk with its overlay.
struct StagedDisk {
  OpenDisk disk;
  image::OwnImage overlay;
};

/// Copies the base's content of every cluster that the overlay holds into a new image at `undo_path`; durable on return.
/// Value: bytes.
Result<std::uint64_t> capture_undo(image::BlockServer& server, const StagedDisk& staged, const fs::path& undo_path,
                                   const image::Progress& progress);

/// Writes the overlay into the base, makes it durable, reads both back and compares. May be repeated after a crash at any
/// point: the overlay is not changed. Value: bytes.
Result<std::uint64_t> commit_overlay(image::BlockServer& server, const StagedDisk& staged, const image::Progress& progress);

}  // namespace vmpatch::engine
