#include "app/paths.hpp"

#include <unistd.h>

#include <cstdlib>

#include "vmpatch/core/format.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::app {
namespace {

namespace fs = std::filesystem;

std::optional<fs::path> from_environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return fs::path(value);
}

bool is_root() { return ::geteuid() == 0; }

/// An XDG base directory of the user (basedir-spec).
fs::path user_dir(const char* variable, const char* below_home) {
  if (auto dir = from_environment(variable); dir && dir->is_absolute()) return *dir / "vm-patch";
  return from_environment("HOME").value_or("/") / below_home / "vm-patch";
}

fs::path find_config(const cli::GlobalOptions& options) {
  if (options.config) return *options.config;
  if (auto path = from_environment("VM_PATCH_CONFIG")) return *path;
  const fs::path standard = "/etc/vm-patch/vm-patch.yaml";
  return fs::exists(standard) ? standard : fs::path();
}

fs::path find_scratch() {
  if (is_root()) return "/run/vm-patch";
  if (auto dir = from_environment("XDG_RUNTIME_DIR"); dir && dir->is_absolute()) return *dir / "vm-patch";
  return fs::path("/tmp") / fmt::format("vm-patch-{}", ::geteuid());
}

std::vector<std::string> find_connections(const cli::GlobalOptions& options, const policy::Policy& policy) {
  if (!options.connect.empty()) return options.connect;
  if (auto uri = from_environment("LIBVIRT_DEFAULT_URI")) return {uri->string()};
  if (!policy.connect.empty()) return policy.connect;
  return {is_root() ? "qemu:///system" : "qemu:///session"};
}

}  // namespace

Result<Resolved> resolve_paths(const cli::GlobalOptions& options) {
  fleet::Paths paths;
  paths.config = find_config(options);
  VMPATCH_TRY(const auto policy, policy::load_policy(paths.config));

  auto own_state = options.state_dir ? options.state_dir : from_environment("VM_PATCH_STATE_DIR");
  if (own_state) {
    paths.state = *own_state;
  } else if (policy.state_dir) {
    paths.state = *policy.state_dir;
  } else {
    paths.state = is_root() ? fs::path("/var/lib/vm-patch") : user_dir("XDG_STATE_HOME", ".local/state");
  }
  paths.state = fs::absolute(paths.state);

  if (options.trust_file) {
    paths.trust = *options.trust_file;
  } else if (auto trust = from_environment("VM_PATCH_TRUST")) {
    paths.trust = *trust;
  } else {
    paths.trust = own_state || !is_root() ? paths.state / "trust.yaml" : fs::path("/etc/vm-patch/trust.yaml");
  }
  paths.cache = from_environment("VM_PATCH_CACHE")
                    .value_or(is_root() ? fs::path("/var/cache/vm-patch") : user_dir("XDG_CACHE_HOME", ".cache"));
  paths.cache = fs::absolute(paths.cache);  // workers have another current folder
  paths.scratch = find_scratch();
  paths.attestation_key = policy.attestation_key.value_or(fs::path());
  return Resolved{std::move(paths), find_connections(options, policy)};
}

}  // namespace vmpatch::app
