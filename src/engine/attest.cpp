#include "engine/attest.hpp"

#include "vmpatch/core/host.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/engine/attestation_keys.hpp"

namespace vmpatch::engine {
namespace {

bool same_disks(const Json& recorded, const reading::Identities& now) {
  const auto before = reading::identities_from_json(recorded);
  return before && reading::first_difference(*before, now).empty();
}

}  // namespace

Result<Earlier> attested_before(const Environment& environment, const inventory::Machine& machine) {
  VMPATCH_TRY(const auto last, environment.store.attestation(machine.uuid));
  Earlier earlier;
  if (last && last->satisfied.is_array()) earlier.satisfied = last->satisfied;
  return earlier;
}

Result<Earlier> still_attested(const Environment& environment, const inventory::Machine& machine, const reading::Identities& now) {
  VMPATCH_TRY(const auto last, environment.store.attestation(machine.uuid));
  VMPATCH_TRY(auto earlier, attested_before(environment, machine));
  if (!last || same_disks(last->identities, now)) return earlier;
  VMPATCH_TRY(const auto custody, environment.custody.last(machine.uuid));
  // Only a custody that began with the attested disks carries the statement on; one opened by an override, say, does not.
  const bool carries = custody && custody->unbroken && custody->closed && custody->opened >= last->time;
  if (carries && same_disks(custody->identities, now)) return earlier;
  for (const auto& entry : earlier.satisfied) {
    auto lost = read_satisfied(entry);
    lost.reason = "the disks were changed by somebody else since; 'vm-patch verify' with its bundle attests it again where it holds";
    earlier.lost.push_back(std::move(lost));
  }
  earlier.satisfied = Json::array();
  return earlier;
}

DroppedRecipe read_satisfied(const Json& entry) {
  const auto member = [&](const char* key) { return entry.is_object() && entry.contains(key) ? entry.at(key) : Json(); };
  const auto text = [&](const char* key) { return member(key).is_string() ? member(key).get<std::string>() : std::string(); };
  DroppedRecipe read{text("id"), 0, text("digest"), {}};
  if (member("version").is_number_integer()) read.version = member("version").get<std::uint32_t>();
  return read;
}

Json with_recipe(Json satisfied, const recipe::TrustedRecipe& recipe, ProofKind proof) {
  const auto& id = recipe.get().id;
  Json kept = Json::array();
  for (const auto& entry : satisfied) {
    if (read_satisfied(entry).id != id) kept.push_back(entry);
  }
  kept.push_back({{"id", id}, {"version", recipe.get().version}, {"digest", recipe.digest().hex()}, {"proof", to_string(proof)}});
  return kept;
}

Result<ledger::Attestation> make_attestation(const Environment& environment, const std::string& machine_uuid,
                                             const std::string& machine_name, const std::string& run_id,
                                             const reading::Identities& identities, const Json& satisfied) {
  ledger::Attestation attestation{machine_uuid, machine_name,          run_id, environment.clock.now(),
                                  reading::to_json(identities), satisfied, {}};
  const Json statement{{"schema", "vm-patch/attestation/v1"},
                       {"host", host_name()},
                       {"machine", {{"uuid", machine_uuid}, {"name", machine_name}}},
                       {"run", run_id},
                       {"time", format_time(attestation.time)},
                       {"identities", attestation.identities},
                       {"satisfied", satisfied}};
  VMPATCH_TRY(const auto key, load_attestation_key(environment.run_places));
  trust::Envelope envelope{std::string(trust::attestation_payload_type), dump_json(statement), {}};
  VMPATCH_CHECK(trust::add_signature(envelope, key));
  attestation.envelope = trust::write_envelope(envelope);
  return attestation;
}

}  // namespace vmpatch::engine
