#include "vmpatch/reading/inspect.hpp"

#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"
#include "vmpatch/reading/reading.hpp"

namespace vmpatch::reading {
namespace {

bool identity_tells(const std::vector<OpenDisk>& disks) {
  return std::none_of(disks.begin(), disks.end(), [](const OpenDisk& disk) {
    const auto& layers = disk.chain.layers();
    return std::any_of(layers.begin(), layers.end(), [](const image::Layer& layer) { return layer.block_device; });
  });
}

/// Two writes within one tick of the file system's clock leave the same times.
bool was_just_written(const Identities& identities, Time now) {
  constexpr std::chrono::seconds tick{2};
  const auto limit = (now - tick).time_since_epoch().count();
  return std::any_of(identities.begin(), identities.end(), [&](const auto& disk) {
    return std::any_of(disk.second.begin(), disk.second.end(),
                       [&](const image::LayerIdentity& layer) { return std::max(layer.mtime_ns, layer.ctime_ns) > limit; });
  });
}

/// A machine at one of its snapshots has facts of its own: its disks' files may be those of the machine as it is.
std::string cache_key(const inventory::Machine& machine) {
  if (machine.at_snapshot.empty()) return machine.uuid;
  std::string key = machine.uuid + "@" + machine.at_snapshot;
  for (const auto& disk : machine.disks) key += "\n" + disk.target + "=" + disk.snapshot;
  return named_uuid(key);
}

/// Nothing when there is no entry, or it is of other disks or another version of this program.
std::optional<Inspection> look_up(const Environment& environment, const inventory::Machine& machine,
                                  const Identities& now) {
  const auto entry = environment.facts_cache->find(cache_key(machine));
  if (!entry) {
    environment.log.warn("facts are read again: {}", entry.error().message);
    return std::nullopt;
  }
  if (!*entry) return std::nullopt;
  const auto then = identities_from_json((*entry)->identities);
  if (!then || !first_difference(*then, now).empty()) return std::nullopt;
  const auto json = parse_json((*entry)->facts, "cached facts");
  if (!json) return std::nullopt;
  auto facts = guest::facts_from_json(*json);
  if (!facts) return std::nullopt;
  return Inspection{std::move(*facts), true, (*entry)->read};
}

/// The largest honest guest has some 4 MiB. Everything that is kept is read again at each look at the machine.
constexpr std::size_t max_kept = 8U << 20U;

void keep(const Environment& environment, const inventory::Machine& machine, const Identities& identities,
          const Inspection& inspection) {
  std::string facts = dump_json(guest::to_json(inspection.facts));
  if (facts.size() > max_kept) {
    environment.log.info("facts are not kept: they have {}", format_size(facts.size()));
    return;
  }
  const auto kept = environment.facts_cache->put(cache_key(machine), {to_json(identities), std::move(facts), inspection.read});
  if (!kept) environment.log.warn("facts are not kept: {}", kept.error().message);
}

}  // namespace

Result<Inspection> inspect(const Environment& environment, const inventory::Machine& machine, bool fresh) {
  const bool idle = machine.state == inventory::State::shutoff || machine.state == inventory::State::saved;
  if (environment.facts_cache != nullptr && idle && !fresh) {
    VMPATCH_TRY(const auto disks, open_disks(machine, environment.allowed_dirs));
    VMPATCH_TRY(const auto identities, identify(disks));
    if (identity_tells(disks)) {
      if (auto found = look_up(environment, machine, identities)) return std::move(*found);
    }
  }
  environment.observer.step(machine, "reading the guest");
  VMPATCH_TRY(auto reading, Reading::open(environment, machine));
  Inspection inspection{reading.facts(), false, environment.clock.now()};
  VMPATCH_TRY(const auto identities, identify(reading.disks()));
  VMPATCH_CHECK(reading.finish());
  const bool may_keep = environment.facts_cache != nullptr && idle && identity_tells(reading.disks());
  if (may_keep && !was_just_written(identities, inspection.read)) keep(environment, machine, identities, inspection);
  return inspection;
}

}  // namespace vmpatch::reading
