#include "vmpatch/reading/disks.hpp"

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::reading {

Result<std::vector<OpenDisk>> open_disks(const inventory::Machine& machine, const std::vector<fs::path>& allowed_dirs) {
  std::vector<OpenDisk> disks;
  for (const auto& disk : machine.disks) {
    if ((disk.device != "disk" && disk.device != "lun") || disk.read_only) continue;
    VMPATCH_TRY(auto chain, inventory::open_disk_chain(machine, disk, allowed_dirs));
    disks.push_back({disk.target, *disk.source, std::move(chain)});
  }
  if (disks.empty()) {
    return fail(Errc::refused, "machine {} has no disk that could be patched", escape_untrusted(machine.name));
  }
  return disks;
}

Result<Identities> identify(const std::vector<OpenDisk>& disks) {
  Identities identities;
  for (const auto& disk : disks) {
    VMPATCH_TRY(auto identity, disk.chain.identity());
    identities.emplace(disk.target, std::move(identity));
  }
  return identities;
}

Json to_json(const Identities& identities) {
  Json json = Json::object();
  for (const auto& [target, identity] : identities) json[target] = image::to_json(identity);
  return json;
}

Result<Identities> identities_from_json(const Json& json) {
  if (!json.is_object()) return fail(Errc::failed, "disk identities are not a JSON object");
  Identities identities;
  for (const auto& [target, value] : json.items()) {
    VMPATCH_TRY(auto identity, image::identity_from_json(value));
    identities.emplace(target, std::move(identity));
  }
  return identities;
}

std::string first_difference(const Identities& before, const Identities& now) {
  for (const auto& [target, identity] : now) {
    const auto found = before.find(target);
    if (found == before.end()) return fmt::format("disk {} is new", target);
    if (!image::matches(found->second, identity)) {
      return fmt::format("disk {}: {}", target, image::first_difference(found->second, identity));
    }
  }
  for (const auto& [target, identity] : before) {
    if (!now.contains(target)) return fmt::format("disk {} is gone", target);
  }
  return {};
}

Result<std::vector<image::ChainLock>> lock_disks(const std::vector<OpenDisk>& disks, image::Sharing sharing) {
  std::vector<image::ChainLock> locks;
  for (const auto& disk : disks) {
    VMPATCH_TRY(auto lock, image::ChainLock::acquire(disk.chain, sharing));
    locks.push_back(std::move(lock));
  }
  return locks;
}

}  // namespace vmpatch::reading
