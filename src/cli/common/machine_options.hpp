#pragma once
// How every verb is told which machines to work on.

#include <filesystem>
#include <optional>
#include <vector>

#include "vmpatch/fleet/selection.hpp"
#include "vmpatch/policy/policy.hpp"

namespace CLI {
class App;
}

namespace vmpatch::cli {

namespace fs = std::filesystem;

/// -d, -a, --format, --without-libvirt, --allow-backing, --not-a-clone, --all, --group, --folder. `options` must live as long as `verb`.
void add_machine_options(CLI::App& verb, fleet::MachineOptions& options);

/// One option each, for verbs that find their machines by themselves.
void add_without_libvirt(CLI::App& verb, fleet::MachineOptions& options);
void add_not_a_clone(CLI::App& verb, std::vector<fs::path>& files);
/// --boot-proof, for verbs that patch.
void add_boot_proof(CLI::App& verb, std::optional<policy::BootProof>& wanted);
/// --snapshot, for verbs that only read.
void add_snapshot_option(CLI::App& verb, fleet::MachineOptions& options);

}  // namespace vmpatch::cli
