#pragma once
// What every verb gets. Verbs live in src/cli/<verb>/ and register themselves through a function in src/cli/verbs.hpp.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/log.hpp"

namespace vmpatch::cli {

namespace fs = std::filesystem;

enum class ColorMode { automatic, always, never };

/// Options that may stand before or after the verb.
struct GlobalOptions {
  std::optional<fs::path> config;     ///< --config, else VM_PATCH_CONFIG, else /etc/vm-patch/vm-patch.yaml if it exists
  std::optional<fs::path> state_dir;  ///< --state-dir, else VM_PATCH_STATE_DIR, else the configuration's, else /var/lib/vm-patch
                                      ///< as root and XDG_STATE_HOME/vm-patch otherwise
  std::optional<fs::path> trust_file; ///< --trust-file, else VM_PATCH_TRUST, else STATE/trust.yaml with an own --state-dir, else /etc/vm-patch/trust.yaml
  std::vector<std::string> connect;   ///< -c, repeatable; else LIBVIRT_DEFAULT_URI; else qemu:///system as root, qemu:///session otherwise
  bool json = false;
  bool quiet = false;
  int verbose = 0;
  ColorMode color = ColorMode::automatic;
};

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

/// The environment of one invocation. `out` is results only; diagnostics go to log.
struct Context {
  GlobalOptions options;
  Paths paths;
  const Clock& clock;
  Log& log;
  [[nodiscard]] bool color_stdout() const;
};

}  // namespace vmpatch::cli
