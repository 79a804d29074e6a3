#pragma once
// The pieces of decide().

#include <optional>

#include "vmpatch/gate/decision.hpp"

namespace vmpatch::gate {

/// How the machine is named on a command line: its name where that needs no quoting, else its UUID.
std::string shell_name(const inventory::Machine& machine);

/// A run that forbids any start; nullopt = none.
std::optional<Verdict> check_run(const Input& input);

/// The group's baseline against attestation and lineage. Every writable disk has an identity.
Verdict check_baseline(const Input& input, const Json& group);

bool is_baseline_empty(const Json& group);

}  // namespace vmpatch::gate
