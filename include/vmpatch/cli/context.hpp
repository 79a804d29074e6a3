#pragma once
// What every verb gets. Verbs live in src/cli/<verb>/ and register themselves through a function in src/cli/verbs.hpp.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/fleet/invocation.hpp"

namespace vmpatch::cli {

namespace fs = std::filesystem;

enum class ColorMode { automatic, always, never };

/// Options that may stand before or after the verb.
struct GlobalOptions {
  std::optional<fs::path> config;     ///< --config, else VM_PATCH_CONFIG, else /etc/vm-patch/vm-patch.yaml if it exists
  std::optional<fs::path> state_dir;  ///< --state-dir, else VM_PATCH_STATE_DIR, else the configuration's, else /var/lib/vm-patch
                                      ///< as root and XDG_STATE_HOME/vm-patch otherwise
  std::optional<fs::path> trust_file; ///< --trust-file, else VM_PATCH_TRUST, else STATE/trust.yaml with an own --state-dir, else /etc/vm-patch/trust.yaml
  std::vector<std::string> connect;   ///< -c, repeatable; else LIBVIRT_DEFAULT_URI, the configuration's, qemu:///system as root, qemu:///session
                                      ///< otherwise: Context::connect
  bool json = false;
  bool quiet = false;
  int verbose = 0;
  ColorMode color = ColorMode::automatic;
};

/// The environment of one invocation. Results go to standard output; diagnostics go to log.
struct Context : fleet::Invocation {
  GlobalOptions options;
  [[nodiscard]] bool color_stdout() const;
};

}  // namespace vmpatch::cli
