#pragma once
// Debian: a machine may have a package of a newer release than its own, from backports or installed by hand. What the tracker says of
// the machine's release is about that release's versions; what it says of the release that the package comes from counts then.

#include "advisory/evaluate.hpp"
#include "advisory/units.hpp"

namespace vmpatch::advisory {

/// `own`: a statement of the tracker on the machine's release, of `on_source`. The statement that judges the package: `own` for a
/// version of that release; else that of the lowest newer release whose version is not lower, or of the newest one.
const Statement& judging_statement(const Statement& own, Statements on_source, const Subject& subject, const Evaluator& evaluator, const TextPool& texts);

}  // namespace vmpatch::advisory
