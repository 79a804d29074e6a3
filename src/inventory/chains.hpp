#pragma once
// What the disks and the records of one machine add to libvirt's answer.

#include "vmpatch/inventory/source.hpp"

namespace vmpatch::inventory {

/// Layers, internal snapshots, and whether QEMU writes a bare image. Problems stay with their disk.
/// The top layers of the disks that it can write come back.
std::vector<image::LayerIdentity> load_chains(Machine& machine, const std::vector<fs::path>& allowed_dirs);

/// Joins what libvirt knows of memory in a file, what was recorded, and what an operator said.
void settle_saved_memory(Machine& machine, const std::vector<image::LayerIdentity>& tops, const ChainOptions& options);

}  // namespace vmpatch::inventory
