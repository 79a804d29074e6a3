#pragma once
// A publication that was interrupted, or is taken back.

#include "engine/ending.hpp"
#include "engine/publication.hpp"

namespace vmpatch::engine {

/// Ends an adopted run that was interrupted while it published: the machine's definition tells whether it has the new files (they are attested) or
/// the old ones (the new ones are removed). Errors: not_found (storage is not there), busy (who has the files cannot be told now, or the machine
/// runs): later.
Result<Ended> end_publication(const Environment& environment, RunRecord& record);

/// Gives the machine the files that it had before an attested run published others, proved and attested. The files of that run stay, so
/// that this can be rolled back itself. Errors: refused (it has other files than that run gave it, the old ones are gone or others), and those
/// of every run.
Result<Report> demote(const Environment& environment, const ledger::Run& original, const inventory::Machine& machine);

}  // namespace vmpatch::engine
