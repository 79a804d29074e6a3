#pragma once
// Several machines side by side; one failure does not stop the others.

#include "cli/common/progress.hpp"
#include "vmpatch/engine/engine.hpp"

namespace vmpatch::cli {

struct BatchResult {
  inventory::Machine machine;
  Result<engine::Report> result;
};

/// At most `jobs` at a time, results in the order of `machines`.
std::vector<BatchResult> apply_all(engine::Environment& environment, const engine::Job& job,
                                   const std::vector<inventory::Machine>& machines, unsigned jobs, ProgressDisplay& display);

/// The exit code of a batch: the only one there is, or of several failures the gravest (7, 5, 6, 4, 1).
int exit_code_of(const std::vector<BatchResult>& results);

}  // namespace vmpatch::cli
