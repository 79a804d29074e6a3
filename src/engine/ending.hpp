#pragma once

#include "engine/unfinished.hpp"

namespace vmpatch::engine {

struct Ended {
  std::string action;  ///< of Recovered
  std::string message;
};

/// The content of `direction` is on the disks: ends the server, the run in the ledger, and its leftovers. The new content is attested,
/// unless the record says that what somebody else wrote was overwritten ("unproven").
Result<Ended> end_written(const Environment& environment, RunRecord& record, Unfinished& unfinished, Direction direction,
                          std::uint64_t bytes);

/// For the process whose commit failed: the old content goes back on the disks, which it still holds. The direction is recorded first.
Result<void> take_back(RunRecord& record, std::vector<StagedDisk>& disks, const image::BlockServerOptions& server, const image::Progress& progress,
                       const CommitProtocol::Alone& alone);

/// A commit that is finished and recorded is attested, and its leftovers go.
Result<void> attest_committed(const Environment& environment, RunRecord& record, const Identities& after);

}  // namespace vmpatch::engine
