#include "engine/commit.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "engine/written_digests.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/image/growth.hpp"

namespace vmpatch::engine {
namespace {

/// Exports that are taken away again, whatever comes in between: a commit refuses a base that is still exported.
class Exports {
 public:
  Exports(image::BlockServer& server, const reading::OpenDisk& disk) : server_(server), disk_(disk) {}
  Exports(const Exports&) = delete;
  Exports& operator=(const Exports&) = delete;
  ~Exports() { static_cast<void>(close().has_value()); }

  Result<image::NbdExport> chain() {
    return keep(server_.export_chain(disk_.chain, next_name()));
  }
  Result<image::NbdExport> over(const image::OwnImage& image, bool writable = false) {
    return keep(server_.export_overlay(disk_.chain, image, next_name(), writable));
  }
  /// Flushed and gone. The first error counts.
  Result<void> close() {
    Result<void> first;
    while (!names_.empty()) {
      auto removed = server_.remove(names_.back());
      names_.pop_back();
      if (!removed && first) first = removed;
    }
    return first;
  }

 private:
  std::string next_name() { return fmt::format("{}-{}", disk_.target, names_.size()); }
  Result<image::NbdExport> keep(Result<image::NbdExport> made) {
    if (made) names_.push_back(made->name);
    return made;
  }
  image::BlockServer& server_;
  const reading::OpenDisk& disk_;
  std::vector<std::string> names_;
};

Result<void> sync_image(const image::OwnImage& image) {
  if (::fsync(image.read_write.get()) != 0) return errno_error(errno, image.path.string());
  return fsync_dir(image.path.parent_path());
}

/// What was written before and never reached the disk, because its flush failed or nobody was left to ask for it, may stand in the host's memory
/// as if it had: from here on reads are of the disk. Linux drops pages that are clean, and keeps what a failed write has made so.
Result<void> forget_cached(int fd, const fs::path& path) {
  if (::fsync(fd) != 0) return errno_error(errno, escape_untrusted(path.string()));
  if (const int error = ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); error != 0) return errno_error(error, escape_untrusted(path.string()));
  return {};
}

/// "web.undo.qcow2.lost", "….lost.2", …: what is there already stays, whoever made it and however far it came.
fs::path free_lost_path(const RecordedDisk& disk) {
  fs::path path = disk.undo.string() + ".lost";
  for (int number = 2; fs::exists(fs::symlink_status(path)); ++number) path = fmt::format("{}.lost.{}", disk.undo.string(), number);
  return path;
}

}  // namespace

fs::path digests_path(const RecordedDisk& disk) { return disk.undo.string() + ".written"; }

Result<CommitProtocol::Extents> CommitProtocol::held_by(const StagedDisk& staged, const image::OwnImage& log, const std::string& name) {
  VMPATCH_TRY(const auto exported, server_.export_overlay(staged.disk.chain, log, name, false));
  auto extents = image::held_extents(exported);
  VMPATCH_CHECK(server_.remove(name));
  return extents;
}

Result<image::OwnImage> CommitProtocol::copy_of(const StagedDisk& staged, const Extents& extents, const fs::path& path) {
  VMPATCH_CHECK(make_dirs(path.parent_path(), 0700));
  VMPATCH_TRY(auto copy, image::create_own_image(path, staged.disk.chain.virtual_size(), &staged.disk.chain.top()));
  Exports exports(server_, staged.disk);
  VMPATCH_TRY(const auto from, exports.chain());
  VMPATCH_TRY(const auto to, server_.export_overlay(staged.disk.chain, copy, "copy", true));
  const auto copied = image::copy_extents(from, to, extents, progress_);
  VMPATCH_CHECK(server_.remove("copy"));
  VMPATCH_CHECK(copied);
  VMPATCH_TRY(const auto written, exports.over(copy));
  if (auto same = image::compare_extents(from, written, extents); !same) {
    return same.error().in(fmt::format("copy {}", path.string()));
  }
  VMPATCH_CHECK(exports.close());
  VMPATCH_CHECK(sync_image(copy));
  return copy;
}

Result<void> CommitProtocol::write_digests(const StagedDisk& staged, const Extents& extents, const fs::path& path) {
  Exports exports(server_, staged.disk);
  VMPATCH_TRY(const auto content, exports.over(staged.redo));
  VMPATCH_TRY(const auto digests, image::digest_extents(content, extents, {}));
  VMPATCH_CHECK(exports.close());
  return write_file_atomic(path, format_digests(digests), 0600);
}

Result<std::uint64_t> CommitProtocol::capture_undo(const std::vector<RecordedDisk>& recorded) {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < disks_.size(); ++i) {
    auto& staged = disks_[i];
    VMPATCH_TRY(const auto extents, held_by(staged, staged.redo, staged.disk.target + "-held"));
    VMPATCH_TRY(staged.undo, copy_of(staged, extents, recorded[i].undo));
    VMPATCH_CHECK(write_digests(staged, extents, digests_path(recorded[i])));
    bytes += image::total_length(extents);
  }
  return bytes;
}

Result<std::vector<fs::path>> CommitProtocol::keep_lost(const std::vector<RecordedDisk>& recorded) {
  std::vector<fs::path> kept;
  for (std::size_t i = 0; i < disks_.size(); ++i) {
    auto& staged = disks_[i];
    VMPATCH_TRY(const auto extents, held_by(staged, staged.redo, staged.disk.target + "-held"));
    kept.push_back(free_lost_path(recorded[i]));
    VMPATCH_TRY(staged.lost, copy_of(staged, extents, kept.back()));
  }
  return kept;
}

Result<void> CommitProtocol::check_room() {
  struct Needed {
    fs::path folder;
    std::uint64_t bytes = 0;
  };
  std::map<dev_t, Needed> needed;  // by file system
  for (const auto& staged : disks_) {
    VMPATCH_TRY(const auto extents, held_by(staged, staged.redo, staged.disk.target + "-held"));
    Exports exports(server_, staged.disk);
    VMPATCH_TRY(const auto content, exports.chain());
    VMPATCH_TRY(const auto growth, image::growth_of(staged.disk.chain, content, extents));
    VMPATCH_CHECK(exports.close());
    if (growth == 0) continue;
    struct stat info {};
    const auto folder = staged.disk.chain.top().path.parent_path();
    if (::fstat(staged.disk.chain.top().fd.get(), &info) != 0) return errno_error(errno, folder.string());
    auto& there = needed[info.st_dev];
    there.folder = folder;
    there.bytes += growth;
  }
  for (const auto& [device, there] : needed) {
    const auto& [folder, bytes] = there;
    VMPATCH_TRY(const auto room, free_space(folder));
    if (room >= bytes) continue;
    return fail(Errc::refused, "the images in {} may grow by {} when the patch is written, and {} are free; make room there",
                escape_untrusted(folder.string()), format_size(bytes), format_size(room));
  }
  return {};
}

Result<Standing> CommitProtocol::look_at(const StagedDisk& staged, bool writes_may_be_lost) {
  VMPATCH_TRY(const auto extents, held_by(staged, staged.redo, staged.disk.target + "-new"));
  VMPATCH_TRY(const auto covered, held_by(staged, *staged.undo, staged.disk.target + "-old"));
  if (image::uncovered_length(extents, covered) != 0) {
    return fail(Errc::refused, "undo image {} does not hold all that {} would overwrite", staged.undo->path.string(), staged.redo.path.string());
  }
  Exports exports(server_, staged.disk);
  VMPATCH_TRY(const auto now, exports.chain());
  VMPATCH_TRY(const auto old_content, exports.over(*staged.undo));
  VMPATCH_TRY(const auto new_content, exports.over(staged.redo));
  std::optional<image::NbdExport> lost;
  if (staged.lost) {
    VMPATCH_TRY(lost, exports.over(*staged.lost));
  }
  Standing standing{staged.disk.target, {}, 0};
  VMPATCH_TRY(standing.relation, image::relate_extents(now, old_content, new_content, lost ? &*lost : nullptr, extents, progress_));
  VMPATCH_CHECK(exports.close());
  const bool zero_is_loss = writes_may_be_lost && staged.disk.chain.top().format == image::Format::qcow2;
  standing.foreign = standing.relation.none + (zero_is_loss ? 0 : standing.relation.zero);
  return standing;
}

Result<std::vector<Standing>> CommitProtocol::look(bool writes_may_be_lost) {
  std::vector<Standing> all;
  for (const auto& staged : disks_) {
    VMPATCH_TRY(auto standing, look_at(staged, writes_may_be_lost));
    all.push_back(std::move(standing));
  }
  return all;
}

Result<std::uint64_t> CommitProtocol::write_new(const StagedDisk& staged, const Extents& extents) {
  VMPATCH_TRY(const auto writable, staged.disk.chain.open_top_writable());
  VMPATCH_CHECK(server_.commit(staged.disk.chain, staged.redo, writable.get(), progress_));
  return image::total_length(extents);
}

Result<std::uint64_t> CommitProtocol::write_old(const StagedDisk& staged, const Extents& extents) {
  VMPATCH_TRY(const auto writable, staged.disk.chain.open_top_writable());
  VMPATCH_CHECK(forget_cached(writable.get(), staged.disk.chain.top().path));
  Exports exports(server_, staged.disk);
  VMPATCH_TRY(const auto now, exports.chain());
  VMPATCH_TRY(const auto before, exports.over(*staged.undo));
  VMPATCH_TRY(const auto written, image::differing_extents(now, before, extents));
  VMPATCH_CHECK(exports.close());
  if (written.empty()) return std::uint64_t{0};
  // Not over the chain, which must not be exported twice while it is written: it holds everything that is asked for.
  VMPATCH_TRY(const auto from, server_.export_own(*staged.undo, "old", false));
  VMPATCH_TRY(const auto to, server_.export_writable(staged.disk.chain, writable.get(), "base"));
  const auto copied = image::copy_extents(from, to, written, progress_);
  const auto flushed = server_.remove("base");
  VMPATCH_CHECK(server_.remove("old"));
  VMPATCH_CHECK(copied);
  VMPATCH_CHECK(flushed);
  return image::total_length(written);
}

Result<std::uint64_t> CommitProtocol::write_disk(const StagedDisk& staged, Direction direction) {
  const auto& log = direction == Direction::to_old ? *staged.undo : staged.redo;
  VMPATCH_TRY(const auto extents, held_by(staged, log, staged.disk.target + "-held"));
  VMPATCH_TRY(const auto bytes, direction == Direction::to_old ? write_old(staged, extents) : write_new(staged, extents));
  Exports exports(server_, staged.disk);
  VMPATCH_TRY(const auto base, exports.chain());
  VMPATCH_TRY(const auto content, exports.over(log));
  if (auto same = image::compare_extents(base, content, extents); !same) {
    return same.error().in(fmt::format("disk {} after the commit", staged.disk.target));
  }
  VMPATCH_CHECK(exports.close());
  return bytes;
}

Result<std::uint64_t> CommitProtocol::write(Direction direction) {
  VMPATCH_CHECK(alone_());
  has_written_ = true;
  std::uint64_t bytes = 0;
  for (const auto& staged : disks_) {
    VMPATCH_TRY(const auto written, write_disk(staged, direction));
    bytes += written;
  }
  return bytes;
}

}  // namespace vmpatch::engine
