#pragma once
// Seeing is believing: a domain without disks is started, and the gate must deny exactly that one.

#include <string>

#include "vmpatch/cli/context.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::cli {

/// Success: the start was denied by this gate. Errc::failed: it was not, or not by us. Tries for some seconds, because a
/// daemon reloads in the background. The domain is transient, starts paused and is destroyed if it starts at all.
Result<void> prove_denial(const Context& context, const std::string& uri);

/// The connection whose hooks are ours.
std::string gate_uri(const Context& context);

}  // namespace vmpatch::cli
