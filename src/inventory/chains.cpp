#include "inventory/chains.hpp"

#include "inventory/names.hpp"
#include "inventory/snapshots.hpp"
#include "vmpatch/image/locks.hpp"

namespace vmpatch::inventory {
namespace {

void load_chain(Machine& machine, Disk& disk, const std::vector<fs::path>& allowed_dirs, InternalSnapshots& snapshots) {
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
  const auto& header = chain->top().header;
  if (header && header->snapshot_count > 0) {
    machine.has_snapshots = true;
    auto found = internal_snapshots(chain->top());
    if (!found && disk.problem.empty()) disk.problem = found.error().message;
    if (found && !disk.read_only) snapshots.emplace(disk.target, std::move(*found));
  }
  // libvirt knows the state of its own machines; of a bare image only QEMU's locks tell.
  if (!machine.bare || machine.state != State::shutoff) return;
  const auto usage = image::probe_usage(chain->top().fd.get());
  if (usage && *usage == image::Usage::written) machine.state = State::running;
}

using TimeOf = std::function<std::optional<Time>(const std::string& machine_uuid)>;

}  // namespace

void load_chains(Machine& machine, const std::vector<fs::path>& allowed_dirs) {
  InternalSnapshots snapshots;
  for (Disk& disk : machine.disks) {
    if (disk.is_drive()) load_chain(machine, disk, allowed_dirs, snapshots);
  }
  add_internal_snapshots(machine, snapshots);
  settle_snapshots(machine);
}

void settle_saved_memory(Machine& machine, const ChainOptions& options) {
  const auto ask = [&](const TimeOf& time_of) { return time_of ? time_of(machine.uuid) : std::nullopt; };
  const auto forgotten = ask(options.forgotten_memory);
  const auto is_forgotten = [&](std::optional<Time> when) { return when && forgotten && *when <= *forgotten; };
  if (machine.saved_to_file && is_forgotten(machine.saved_to_file->when)) {
    machine.saved_to_file.reset();
    if (machine.state == State::saved && !machine.managed_save) machine.state = State::shutoff;
  }
  if (machine.state != State::shutoff) return;
  const auto recorded = ask(options.saved_memory);
  if (!recorded || is_forgotten(recorded)) return;
  machine.saved_to_file = FileSave{FileSave::Witness::record, recorded};
  machine.state = State::saved;
}

}  // namespace vmpatch::inventory
