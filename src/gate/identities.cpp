#include "vmpatch/gate/identities.hpp"

#include <algorithm>

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/inventory/source.hpp"

namespace vmpatch::gate {
namespace {

/// Whatever else of it moved.
bool is_same_file(image::LayerIdentity before, const image::LayerIdentity& now) {
  before.size = now.size;
  before.mtime_ns = now.mtime_ns;
  before.ctime_ns = now.ctime_ns;
  before.header = now.header;
  return image::matches({before}, {now});
}

bool has_file(const image::DiskIdentity& disk, const image::LayerIdentity& file) {
  return std::ranges::any_of(disk, [&](const image::LayerIdentity& layer) { return is_same_file(layer, file); });
}

std::string changed(const std::string& target, const image::DiskIdentity& before, const image::DiskIdentity& now) {
  if (image::matches(before, now)) return {};
  return fmt::format("disk {}: {}", escape_untrusted(target), image::first_difference(before, now));
}

std::string unreadable(const Error& error) { return "the recorded identity cannot be read: " + error.message; }

}  // namespace

bool has_identity(const inventory::Disk& disk) {
  return (disk.device == "disk" || disk.device == "lun") && !disk.read_only;
}

Result<image::DiskIdentity> load_identity(const inventory::Machine& machine, const inventory::Disk& disk) {
  VMPATCH_TRY(const auto chain, inventory::open_disk_chain(machine, disk, {"/"}));
  return chain.identity();
}

bool is_local_drive(const inventory::Disk& disk) { return disk.is_drive() && (disk.source || disk.source_kind == "volume"); }

void add_disk(DiskFacts& facts, inventory::Disk& disk, Result<image::DiskIdentity> identity) {
  if (!identity) {
    if (disk.problem.empty()) disk.problem = identity.error().message;
    if (is_local_drive(disk)) facts.unknown.push_back(disk.target);
    return;
  }
  for (const auto& layer : *identity) facts.keys.push_back(image::file_id(layer));
  if (has_identity(disk)) facts.identities[disk.target] = std::move(*identity);
}

DiskFacts load_disk_facts(inventory::Machine& machine) {
  DiskFacts facts;
  for (inventory::Disk& disk : machine.disks) {
    if (has_identity(disk) || is_local_drive(disk)) add_disk(facts, disk, load_identity(machine, disk));
  }
  return facts;
}

Identities load_identities(inventory::Machine& machine) { return load_disk_facts(machine).identities; }

Json to_json(const Identities& identities) {
  Json json = Json::object();
  for (const auto& [target, identity] : identities) json[target] = image::to_json(identity);
  return json;
}

Result<Identities> identities_from_json(const Json& recorded) {
  if (!recorded.is_object()) return fail(Errc::failed, "recorded identities are no object");
  Identities identities;
  for (const auto& [target, value] : recorded.items()) {
    VMPATCH_TRY(identities[target], image::identity_from_json(value));
  }
  return identities;
}

std::string difference(const Json& recorded, const Identities& now) {
  const auto before = identities_from_json(recorded);
  if (!before) return unreadable(before.error());
  for (const auto& [target, identity] : *before) {
    const auto found = now.find(target);
    if (found == now.end()) return fmt::format("disk {} is gone", escape_untrusted(target));
    if (auto change = changed(target, identity, found->second); !change.empty()) return change;
  }
  for (const auto& [target, identity] : now) {
    if (!before->contains(target)) return fmt::format("disk {} is new", escape_untrusted(target));
  }
  return {};
}

std::string difference_of_common(const Json& recorded, const Identities& now) {
  const auto before = identities_from_json(recorded);
  if (!before) return unreadable(before.error());
  bool compared = before->empty() && now.empty();
  for (const auto& [target, identity] : *before) {
    const auto found = now.find(target);
    if (found == now.end()) continue;
    compared = true;
    if (auto change = changed(target, identity, found->second); !change.empty()) return change;
  }
  return compared ? "" : "none of its disks is among those that are known";
}

bool is_same_disk(const image::DiskIdentity& before, const image::DiskIdentity& now) {
  if (before.empty() || now.empty()) return false;
  return has_file(now, before.front()) || has_file(before, now.front());
}

bool only_ctime_moved(const Json& recorded, const Identities& now) {
  auto before = identities_from_json(recorded);
  if (!before || before->size() != now.size()) return false;
  for (auto& [target, identity] : *before) {
    const auto found = now.find(target);
    if (found == now.end() || found->second.size() != identity.size()) return false;
    for (std::size_t i = 0; i < identity.size(); ++i) identity[i].ctime_ns = found->second[i].ctime_ns;
    if (!image::matches(identity, found->second)) return false;
  }
  return true;
}

}  // namespace vmpatch::gate
