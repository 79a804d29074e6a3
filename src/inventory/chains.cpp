#include "inventory/chains.hpp"

#include "inventory/names.hpp"
#include "inventory/snapshots.hpp"
#include "vmpatch/image/locks.hpp"

namespace vmpatch::inventory {
namespace {

/// What the chains of a machine tell beyond its disks.
struct Found {
  InternalSnapshots snapshots;
  std::vector<image::LayerIdentity> tops;  ///< of the disks that it can write
};

void load_chain(Machine& machine, Disk& disk, const std::vector<fs::path>& allowed_dirs, Found& of_machine) {
  if (const auto usable = check_usable(machine, disk); !usable) {
    if (disk.problem.empty()) disk.problem = usable.error().message;
    return;
  }
  const auto chain = open_chain(disk, allowed_dirs);
  if (!chain) {
    if (disk.problem.empty()) disk.problem = chain.error().message;
    return;
  }
  disk.layers.clear();
  for (const image::Layer& layer : chain->layers()) {
    disk.layers.push_back({layer.path, layer.format, layer.file_size, layer.virtual_size});
  }
  const auto identity = disk.read_only ? Result<image::DiskIdentity>(image::DiskIdentity()) : chain->identity();
  if (identity && !identity->empty()) of_machine.tops.push_back(identity->front());
  const auto& header = chain->top().header;
  if (header && header->snapshot_count > 0) {
    machine.has_snapshots = true;
    auto found = internal_snapshots(chain->top());
    if (!found && disk.problem.empty()) disk.problem = found.error().message;
    if (found && !disk.read_only) of_machine.snapshots.emplace(disk.target, std::move(*found));
  }
  // libvirt knows the state of its own machines; of a bare image only QEMU's locks tell.
  if (!machine.bare || machine.state != State::shutoff) return;
  const auto usage = image::probe_usage(chain->top().fd.get());
  if (usage && *usage == image::Usage::written) machine.state = State::running;
}

}  // namespace

std::vector<image::LayerIdentity> load_chains(Machine& machine, const std::vector<fs::path>& allowed_dirs) {
  Found found;
  for (Disk& disk : machine.disks) {
    if (disk.is_drive()) load_chain(machine, disk, allowed_dirs, found);
  }
  add_internal_snapshots(machine, found.snapshots);
  settle_snapshots(machine);
  return std::move(found.tops);
}

void settle_saved_memory(Machine& machine, const std::vector<image::LayerIdentity>& tops, const ChainOptions& options) {
  const auto forgotten = options.forgotten_memory ? options.forgotten_memory(machine.uuid) : std::nullopt;
  const auto is_forgotten = [&](std::optional<Time> when) { return when && forgotten && *when <= *forgotten; };
  if (machine.saved_to_file && is_forgotten(machine.saved_to_file->when)) {
    machine.saved_to_file.reset();
    if (machine.state == State::saved && !machine.managed_save) machine.state = State::shutoff;
  }
  if (machine.state != State::shutoff) return;
  const auto recorded = options.saved_memory ? options.saved_memory(machine.uuid, tops) : std::nullopt;
  if (!recorded || is_forgotten(recorded)) return;
  machine.saved_to_file = FileSave{FileSave::Witness::record, recorded};
  machine.state = State::saved;
}

}  // namespace vmpatch::inventory
