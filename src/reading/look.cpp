#include "reading/look.hpp"

#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"

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
std::string cache_key(const inventory::Machine& machine, const std::string& what) {
  if (machine.at_snapshot.empty() && what.empty()) return machine.uuid;
  std::string key = machine.uuid + "@" + machine.at_snapshot;
  if (!machine.at_snapshot.empty()) {
    for (const auto& disk : machine.disks) key += "\n" + disk.target + "=" + disk.snapshot;
  }
  return named_uuid(what.empty() ? key : key + "\n#" + what);
}

bool is_idle(const inventory::Machine& machine) {
  return machine.state == inventory::State::shutoff || machine.state == inventory::State::saved;
}

/// The largest honest guest has some 4 MiB. Everything that is kept is read again at each look at the machine.
constexpr std::size_t max_kept = 8U << 20U;

}  // namespace

Result<std::optional<ledger::CachedFacts>> find_kept(const Environment& environment, const inventory::Machine& machine, const std::string& name) {
  std::optional<ledger::CachedFacts> nothing;
  if (environment.facts_cache == nullptr || !is_idle(machine)) return nothing;
  VMPATCH_TRY(const auto disks, open_disks(machine, environment.allowed_dirs));
  VMPATCH_TRY(const auto identities, identify(disks));
  if (!identity_tells(disks)) return nothing;
  auto entry = environment.facts_cache->find(cache_key(machine, name));
  if (!entry) {
    environment.log.warn("facts are read again: {}", entry.error().message);
    return nothing;
  }
  if (!*entry) return nothing;
  const auto then = identities_from_json((*entry)->identities);
  if (!then || !first_difference(*then, identities).empty()) return nothing;
  return std::move(*entry);
}

Result<void> finish_and_keep(const Environment& environment, const inventory::Machine& machine, const std::string& name, Reading& reading,
                             const std::function<std::string()>& text, Time read) {
  VMPATCH_TRY(const auto identities, identify(reading.disks()));
  VMPATCH_CHECK(reading.finish());
  const bool may_keep = environment.facts_cache != nullptr && is_idle(machine) && identity_tells(reading.disks());
  if (!may_keep || was_just_written(identities, read)) return {};
  std::string facts = text();
  if (facts.size() > max_kept) {
    environment.log.info("facts are not kept: they have {}", format_size(facts.size()));
    return {};
  }
  const auto kept = environment.facts_cache->put(cache_key(machine, name), {to_json(identities), std::move(facts), read});
  if (!kept) environment.log.warn("facts are not kept: {}", kept.error().message);
  return {};
}

}  // namespace vmpatch::reading
