#pragma once

#include "engine/unfinished.hpp"

namespace vmpatch::engine {

struct Ended {
  std::string action;  ///< of Recovered
  std::string message;
};

/// The content of `direction` is on the disks: ends the server, the run in the ledger, and its leftovers. Of the new content is attested what
/// a direct reader proves once more: whoever wrote beside the run's blocks since has left no trace in them. Nothing is where the record
/// says that what somebody else wrote was overwritten ("unproven").
Result<Ended> end_written(const Environment& environment, RunRecord& record, Unfinished& unfinished, Direction direction,
                          std::uint64_t bytes);

/// For the process whose run failed while its disks are as they were: `failed` for `error`, on a full disk with the room of the reserve.
Result<void> note_failed(const Environment& environment, RunRecord& record, const Error& error);

/// For the process whose commit failed: the old content goes back on the disks, which it still holds. The direction is recorded first, on a
/// full disk with the room of the reserve; where not even that is enough the disks go back all the same, and recovery finds them so.
Result<void> take_back(const Environment& environment, RunRecord& record, std::vector<StagedDisk>& disks,
                       const image::BlockServerOptions& server, const image::Progress& progress, const CommitProtocol::Alone& alone);

/// A commit that is finished and recorded is attested: of what it had proved, what a direct reader proves once more. Its leftovers go.
Result<Ended> attest_late(const Environment& environment, RunRecord& record);

}  // namespace vmpatch::engine
