#pragma once
// Whether a run may be rolled back: its place among the runs on its disks, and what was written there since.

#include "engine/commit.hpp"

namespace vmpatch::engine {

/// A run that is to take back another one: of the same machine and recipe.
ledger::Run way_back_of(const Environment& environment, const ledger::Run& original);

/// Pure: runs that are attested, oldest first → ids of those later than `run_id` that must be rolled back first, newest first. A run
/// and its rollback cancel each other.
std::vector<std::string> later_runs(const std::vector<ledger::Run>& attested, const std::string& run_id);

/// The attested runs on the disks of `run`, oldest first.
Result<std::vector<ledger::Run>> attested_runs(const Environment& environment, const ledger::Run& run);

/// Bytes that `run` wrote and that are others now, of all that it wrote.
struct WrittenSince {
  std::uint64_t differing = 0;
  std::uint64_t of = 0;
};
/// From the digests beside its undo images. Errc::not_found where a list is missing.
Result<WrittenSince> written_since(image::BlockServer& server, const std::vector<StagedDisk>& disks,
                                   const std::vector<RecordedDisk>& of_run);

/// Pure: for runs of before there were digests. Whether equal identities say that nothing was written: they do for files, not for devices.
bool tells_of_writes(const reading::Identities& disks);

}  // namespace vmpatch::engine
