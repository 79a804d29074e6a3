#pragma once
// What apply and rollback do with redo logs that were proved: the way from `verified` over `committing` to written disks, and back.

#include "engine/commit.hpp"

namespace vmpatch::engine {

/// How far it came. A commit of which nothing was written needs no way back.
struct WrittenOut {
  std::uint64_t undo_bytes = 0;
  std::uint64_t changed_bytes = 0;
  bool begun = false;  ///< a byte of a disk may have been written
};

/// Undo images, room, a last look, `committing` with `detail`, one more look, and the write. Looks are HeldMachine::check_alone(): QEMU's
/// locks keep no QEMU off a block device that has a node of its own for it. `step` tells people that it writes now.
Result<void> write_out(const Environment& environment, RunRecord& record, CommitProtocol& protocol, const std::function<void()>& step,
                       const std::vector<RecordedDisk>& recorded, Json detail, WrittenOut& done);

/// For the process whose run failed for `error` while `committing`. Nothing written, or everything put back: `error`, and the run can be
/// ended. Somebody else has come meanwhile: nothing more is written, the run is quarantined; that, or no way back: Errc::recovery_needed.
struct WentBack {
  bool unwritten = false;  ///< the disks are as they were
  Error error;
};
WentBack go_back(const Environment& environment, RunRecord& record, std::vector<StagedDisk>& disks, const CommitProtocol::Alone& alone, const image::BlockServerOptions& server,
                 const image::Progress& progress, const WrittenOut& done, const Error& error);

}  // namespace vmpatch::engine
