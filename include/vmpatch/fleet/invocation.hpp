#pragma once
// What work on many machines starts from, whoever asks for it: a command, a nightly job, a service.

#include <filesystem>
#include <string>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/log.hpp"

namespace vmpatch::fleet {

namespace fs = std::filesystem;

/// Resolved paths.
struct Paths {
  fs::path config;  ///< empty = none (defaults)
  fs::path state;
  fs::path trust;
  fs::path cache;    ///< /var/cache/vm-patch as root, XDG_CACHE_HOME/vm-patch otherwise; VM_PATCH_CACHE overrides
  fs::path scratch;  ///< sockets and worker folders, 0711: /run/vm-patch as root, XDG_RUNTIME_DIR/vm-patch otherwise
  fs::path attestation_key;  ///< of the configuration; empty = none
  [[nodiscard]] fs::path ledger() const { return state / "ledger.sqlite"; }
  [[nodiscard]] fs::path custody() const { return state / "custody.sqlite"; }
  [[nodiscard]] fs::path facts() const { return state / "facts.sqlite"; }
  [[nodiscard]] fs::path payloads() const { return state / "payloads"; }
  [[nodiscard]] fs::path runs() const { return state / "runs"; }
  [[nodiscard]] fs::path undo() const { return state / "undo"; }
  [[nodiscard]] fs::path logs() const { return state / "logs"; }
  [[nodiscard]] fs::path keys() const { return state / "keys"; }
  [[nodiscard]] fs::path signing_key() const { return attestation_key.empty() ? keys() / "attest" : attestation_key; }
};

/// Must outlive what is made from it.
struct Invocation {
  Paths paths;
  std::vector<std::string> connect;  ///< URIs of libvirt; one that is named twice is asked once
  const Clock& clock;
  Log& log;
};

}  // namespace vmpatch::fleet
