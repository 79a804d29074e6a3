#pragma once
// Every row of a database against its chain, and the chain against its anchor.

#include "ledger/sqlite/sealed_database.hpp"
#include "vmpatch/ledger/integrity.hpp"

namespace vmpatch::ledger {

/// Reads `sealed` without the checks of its own. A problem is no error.
Result<Examined> examine(SealedDatabase& sealed);
/// Errc::untrusted with the first problem; else the number of audit rows.
Result<std::int64_t> verify_database(SealedDatabase& sealed);

}  // namespace vmpatch::ledger
