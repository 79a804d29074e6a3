#include "engine/commit.hpp"

#include <unistd.h>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::engine {
namespace {

Result<std::vector<image::Extent>> held(image::BlockServer& server, const StagedDisk& staged) {
  const auto name = staged.disk.target + "-held";
  VMPATCH_TRY(const auto overlay, server.export_overlay(staged.disk.chain, staged.overlay, name, false));
  auto extents = image::held_extents(overlay);
  VMPATCH_CHECK(server.remove(name));
  return extents;
}

}  // namespace

Result<std::uint64_t> capture_undo(image::BlockServer& server, const StagedDisk& staged, const fs::path& undo_path,
                                   const image::Progress& progress) {
  VMPATCH_TRY(const auto extents, held(server, staged));
  VMPATCH_CHECK(make_dirs(undo_path.parent_path(), 0700));
  VMPATCH_TRY(const auto undo, image::create_own_image(undo_path, staged.disk.chain.virtual_size(), &staged.disk.chain.top()));
  const auto from_name = staged.disk.target + "-base";
  const auto to_name = staged.disk.target + "-undo";
  VMPATCH_TRY(const auto from, server.export_chain(staged.disk.chain, from_name));
  VMPATCH_TRY(const auto to, server.export_overlay(staged.disk.chain, undo, to_name, true));
  VMPATCH_CHECK(image::copy_extents(from, to, extents, progress));
  VMPATCH_CHECK(server.remove(to_name));
  VMPATCH_TRY(const auto written, server.export_overlay(staged.disk.chain, undo, to_name, false));
  if (auto same = image::compare_extents(from, written, extents); !same) {
    return same.error().in(fmt::format("undo image {}", undo_path.string()));
  }
  VMPATCH_CHECK(server.remove(to_name));
  VMPATCH_CHECK(server.remove(from_name));
  if (::fsync(undo.read_write.get()) != 0) return errno_error(errno, undo_path.string());
  VMPATCH_CHECK(fsync_dir(undo_path.parent_path()));
  return image::total_length(extents);
}

Result<std::uint64_t> commit_overlay(image::BlockServer& server, const StagedDisk& staged, const image::Progress& progress) {
  VMPATCH_TRY(const auto extents, held(server, staged));
  VMPATCH_TRY(const auto writable, staged.disk.chain.open_top_writable());
  VMPATCH_CHECK(server.commit(staged.disk.chain, staged.overlay, writable.get(), progress));

  const auto base_name = staged.disk.target + "-committed";
  const auto overlay_name = staged.disk.target + "-overlay";
  VMPATCH_TRY(const auto base, server.export_chain(staged.disk.chain, base_name));
  VMPATCH_TRY(const auto overlay, server.export_overlay(staged.disk.chain, staged.overlay, overlay_name, false));
  if (auto same = image::compare_extents(base, overlay, extents); !same) {
    return same.error().in(fmt::format("disk {} after the commit", staged.disk.target));
  }
  VMPATCH_CHECK(server.remove(overlay_name));
  VMPATCH_CHECK(server.remove(base_name));
  return image::total_length(extents);
}

}  // namespace vmpatch::engine
