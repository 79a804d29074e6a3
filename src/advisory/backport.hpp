#pragma once
// Debian: a machine may have a package of a newer release than its own, from backports or installed by hand. What a record says of
// the machine's release is about that release's versions; what it says of the release that the package comes from counts then.

#include "advisory/evaluate.hpp"
#include "advisory/units.hpp"

namespace vmpatch::advisory {

/// `own`: a statement on the machine's release, of `on_source`. The statement of the same record that judges the package: `own` for a
/// version of that release, and for feeds other than Debian's. Else that of the lowest newer release whose version is not lower
/// (only the tracker tells it), or that has a fix in the upstream branch of the package; otherwise that of the newest release.
const Statement& judging_statement(const Statement& own, Statements on_source, const Subject& subject, const Evaluator& evaluator, const TextPool& texts);

}  // namespace vmpatch::advisory
