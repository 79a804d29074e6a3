#include "vmpatch/gate/identities.hpp"

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/inventory/source.hpp"

namespace vmpatch::gate {
namespace {

Result<Identities> parse_identities(const Json& recorded) {
  if (!recorded.is_object()) return fail(Errc::failed, "recorded identities are no object");
  Identities identities;
  for (const auto& [target, value] : recorded.items()) {
    VMPATCH_TRY(identities[target], image::identity_from_json(value));
  }
  return identities;
}

}  // namespace

bool has_identity(const inventory::Disk& disk) {
  return (disk.device == "disk" || disk.device == "lun") && !disk.read_only;
}

Identities load_identities(inventory::Machine& machine) {
  Identities identities;
  for (inventory::Disk& disk : machine.disks) {
    if (!has_identity(disk)) continue;
    const auto chain = inventory::open_disk_chain(machine, disk, {"/"});
    auto identity = chain ? chain->identity() : Result<image::DiskIdentity>(chain.error());
    if (identity) {
      identities[disk.target] = std::move(*identity);
    } else if (disk.problem.empty()) {
      disk.problem = identity.error().message;
    }
  }
  return identities;
}

Json to_json(const Identities& identities) {
  Json json = Json::object();
  for (const auto& [target, identity] : identities) json[target] = image::to_json(identity);
  return json;
}

std::string difference(const Json& recorded, const Identities& now) {
  const auto before = parse_identities(recorded);
  if (!before) return "the recorded identity cannot be read: " + before.error().message;
  for (const auto& [target, identity] : *before) {
    const auto found = now.find(target);
    if (found == now.end()) return fmt::format("disk {} is gone", escape_untrusted(target));
    if (!image::matches(identity, found->second)) {
      return fmt::format("disk {}: {}", escape_untrusted(target), image::first_difference(identity, found->second));
    }
  }
  for (const auto& [target, identity] : now) {
    if (!before->contains(target)) return fmt::format("disk {} is new", escape_untrusted(target));
  }
  return {};
}

bool only_ctime_moved(const Json& recorded, const Identities& now) {
  auto before = parse_identities(recorded);
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
