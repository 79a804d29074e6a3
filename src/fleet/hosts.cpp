#include "vmpatch/fleet/hosts.hpp"

#include <algorithm>

#include "fleet/local_libvirt.hpp"
#include "fleet/recorded_memory.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::fleet {
namespace {

using inventory::HostInventory;
using inventory::Inventory;
using inventory::Machine;

std::vector<std::string> each_once(const std::vector<std::string>& uris) {
  std::vector<std::string> result;
  for (const std::string& uri : uris) {
    if (std::find(result.begin(), result.end(), uri) == result.end()) result.push_back(uri);
  }
  return result;
}

}  // namespace

Result<Hosts> Hosts::make(const Invocation& invocation, const std::vector<fs::path>& allow_backing, const std::vector<fs::path>& not_clones) {
  VMPATCH_TRY(auto policy, policy::load_policy(invocation.paths.config));
  inventory::ChainOptions options;
  options.allowed_dirs = allow_backing;
  options.allowed_dirs.insert(options.allowed_dirs.end(), policy.allow_backing.begin(), policy.allow_backing.end());
  options.not_clones = not_clones;
  options.not_clones.insert(options.not_clones.end(), policy.not_clones.begin(), policy.not_clones.end());
  options.template_names = policy.templates;
  return Hosts(invocation, std::move(policy), std::move(options));
}

void Hosts::add_libvirt() {
  for (const std::string& uri : each_once(invocation_->connect)) add(inventory::make_libvirt_source(uri, invocation_->log));
}

void Hosts::add_local_libvirt() {
  for (const std::string& uri : local_uris(each_once(invocation_->connect))) add(make_local_source(uri, invocation_->log));
}

Inventory Hosts::load() const {
  Inventory inventory;
  for (const auto& source : sources_) inventory.hosts.push_back(source->list());
  // After the machines: what is saved meanwhile is seen.
  const auto recorded = RecordedMemory::load(*invocation_);
  inventory::ChainOptions options = options_;
  if (recorded) {
    options.saved_memory = [&](const std::string& uuid, const std::vector<image::LayerIdentity>& disks) { return recorded->saved(uuid, disks); };
    options.forgotten_memory = [&](const std::string& uuid) { return recorded->forgotten(uuid); };
  }
  load_lineage(inventory, options);
  if (recorded) return inventory;
  const std::string unknown = fmt::format("whether its memory was saved is not known: {}", recorded.error().message);
  for (HostInventory& host : inventory.hosts) {
    for (Machine& machine : host.machines) machine.unanswered.push_back(unknown);
  }
  return inventory;
}

std::vector<fs::path> Hosts::allowed_dirs(const Inventory& inventory) const {
  std::vector<fs::path> dirs = options_.allowed_dirs;
  for (const HostInventory& host : inventory.hosts) dirs.insert(dirs.end(), host.pool_dirs.begin(), host.pool_dirs.end());
  return dirs;
}

}  // namespace vmpatch::fleet
