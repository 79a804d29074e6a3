#pragma once
// Several machines side by side; one failure does not stop the others.

#include <functional>
#include <vector>

#include "vmpatch/engine/engine.hpp"

namespace vmpatch::fleet {

struct BatchResult {
  inventory::Machine machine;
  Result<engine::Report> result;
};

/// At most `jobs` at a time, results in the order of `machines`. `finished` is told of each as it ends, from its own thread.
std::vector<BatchResult> apply_all(engine::Environment& environment, const engine::Job& job, const std::vector<inventory::Machine>& machines,
                                   unsigned jobs, const std::function<void(const BatchResult&)>& finished);

/// The exit code of a batch: the only one there is, or of several failures the gravest (7, 5, 6, 4, 1).
int exit_code_of(const std::vector<BatchResult>& results);

}  // namespace vmpatch::fleet
