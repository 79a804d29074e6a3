#pragma once
// The one way to end a commit, for apply, rollback and recovery: look, write what is new, or go back to what was. Strategy in-place:
// of every block that the redo log holds, the disk may have two contents only, the redo log's and the undo image's. Cost is in
// proportion to the change.

#include <functional>

#include "engine/held_machine.hpp"
#include "vmpatch/image/extents.hpp"

namespace vmpatch::engine {

/// A held disk with its redo log (the overlay of an apply, the undo image that a rollback puts back), and its undo image once there is one.
struct StagedDisk {
  const reading::OpenDisk& disk;
  image::OwnImage redo;
  std::optional<image::OwnImage> undo;
  /// What lay there when an operator chose to overwrite it: from then on a third allowed content.
  std::optional<image::OwnImage> lost;
};

/// Where a disk stands.
struct Standing {
  std::string target;
  image::Relation relation;  ///< first: old, second: new, third: lost
  /// Bytes that are none of the allowed contents: somebody else wrote them.
  std::uint64_t foreign = 0;
};

class CommitProtocol {
 public:
  /// Errors while somebody else may use the disks: HeldMachine::check_alone().
  using Alone = std::function<Result<void>()>;

  CommitProtocol(image::BlockServer& server, std::vector<StagedDisk>& disks, image::Progress progress, Alone alone)
      : server_(server), disks_(disks), progress_(std::move(progress)), alone_(std::move(alone)) {}

  /// Before anything is written: copies what the redo logs will overwrite into new undo images, and leaves beside each a list of
  /// digests of what will be written. Durable on return. Value: bytes.
  Result<std::uint64_t> capture_undo(const std::vector<RecordedDisk>& recorded);

  /// Errc::refused, with the bytes that are missing, where the file systems of the images have no room for what will be written.
  Result<void> check_room();

  /// Compares every held block. `writes_may_be_lost`: the host went down since, so that a block of a qcow2 image whose table was
  /// written before it may be zero. Errc::refused when an undo image does not cover what its redo log holds.
  Result<std::vector<Standing>> look(bool writes_may_be_lost);

  /// Looks once more whether nobody else has come; then writes, makes durable, reads back and compares. May be repeated after a crash at any point: neither log is changed. To the old
  /// content only what differs is written, so that a full file system does not hinder it. Value: bytes.
  Result<std::uint64_t> write(Direction direction);
  /// What it was made with.
  [[nodiscard]] Result<void> check_alone() const { return alone_(); }
  /// A byte of a disk may have been written.
  [[nodiscard]] bool has_written() const { return has_written_; }

  /// Copies the present content of what the redo logs hold beside the undo images, durably and under new names: earlier copies are not
  /// touched. Value: the files, one a disk.
  Result<std::vector<fs::path>> keep_lost(const std::vector<RecordedDisk>& recorded);

 private:
  using Extents = std::vector<image::Extent>;
  Result<Extents> held_by(const StagedDisk& staged, const image::OwnImage& log, const std::string& name);
  Result<image::OwnImage> copy_of(const StagedDisk& staged, const Extents& extents, const fs::path& path);
  Result<void> write_digests(const StagedDisk& staged, const Extents& extents, const fs::path& path);
  Result<Standing> look_at(const StagedDisk& staged, bool writes_may_be_lost);
  Result<std::uint64_t> write_new(const StagedDisk& staged, const Extents& extents);
  Result<std::uint64_t> write_old(const StagedDisk& staged, const Extents& extents);
  Result<std::uint64_t> write_disk(const StagedDisk& staged, Direction direction);

  image::BlockServer& server_;
  std::vector<StagedDisk>& disks_;
  image::Progress progress_;
  Alone alone_;
  bool has_written_ = false;
};

/// Beside an undo image: what the run wrote over it.
fs::path digests_path(const RecordedDisk& disk);

}  // namespace vmpatch::engine
