#pragma once
// Where everything lies: options before environment before configuration before defaults.

#include "vmpatch/cli/context.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::app {

struct Resolved {
  fleet::Paths paths;
  std::vector<std::string> connect;  ///< URIs of libvirt
};

/// Reads the configuration for state_dir, connect and attestation_key; its errors are Errc::usage.
Result<Resolved> resolve_paths(const cli::GlobalOptions& options);

}  // namespace vmpatch::app
