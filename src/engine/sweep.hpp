#pragma once

#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

/// What processes left that were killed outside a run, or between a run's last state and its cleaning: scratch folders that nobody
/// holds, work folders of ended runs, undo folders that the ledger does not keep.
Result<void> sweep(const Environment& environment);

}  // namespace vmpatch::engine
