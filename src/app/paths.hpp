#pragma once
// Where everything lies: options before environment before configuration before defaults.

#include "vmpatch/cli/context.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::app {

/// Fills Paths and the list of connections. Reads the configuration for state_dir, connect and attestation_key; its errors are Errc::usage.
Result<cli::Paths> resolve_paths(cli::GlobalOptions& options);

}  // namespace vmpatch::app
