#include "engine/attest.hpp"

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/host.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/trust/keyring.hpp"

namespace vmpatch::engine {
namespace {

Result<trust::PrivateKey> attestation_key(const Places& places) {
  const auto path = places.keys / "attest";
  if (fs::exists(path)) return trust::PrivateKey::load(path);
  VMPATCH_CHECK(make_dirs(places.keys, 0700));
  VMPATCH_TRY(auto key, trust::PrivateKey::generate(trust::KeyType::ed25519));
  VMPATCH_TRY(const auto public_key, key.public_key());
  // Runs side by side may both come here first: the one that loses takes the winner's key.
  if (auto made = create_file(path, key.pem(), 0600); !made) {
    if (fs::exists(path)) return trust::PrivateKey::load(path);
    return made.error();
  }
  VMPATCH_CHECK(write_file_atomic(places.keys / "attest.pub", public_key.pem(), 0644));
  return key;
}

bool same_disks(const Json& recorded, const Identities& now) {
  const auto before = identities_from_json(recorded);
  return before && first_difference(*before, now).empty();
}

}  // namespace

Result<Json> still_satisfied(const Environment& environment, const inventory::Machine& machine, const Identities& now) {
  VMPATCH_TRY(const auto last, environment.store.attestation(machine.uuid));
  if (!last) return Json::array();
  if (same_disks(last->identities, now)) return last->satisfied;
  VMPATCH_TRY(const auto custody, environment.custody.last(machine.uuid));
  // Only a custody that began with the attested disks carries the statement on; one opened by an override, say, does not.
  const bool carries = custody && custody->unbroken && custody->closed && custody->opened >= last->time;
  if (carries && same_disks(custody->identities, now)) return last->satisfied;
  return Json::array();
}

Json with_recipe(Json satisfied, const std::string& id, std::uint32_t version, const std::string& digest) {
  Json kept = Json::array();
  for (const auto& entry : satisfied) {
    if (entry.value("id", "") != id) kept.push_back(entry);
  }
  kept.push_back({{"id", id}, {"version", version}, {"digest", digest}});
  return kept;
}

Result<ledger::Attestation> make_attestation(const Environment& environment, const std::string& machine_uuid,
                                             const std::string& machine_name, const std::string& run_id,
                                             const Identities& identities, const Json& satisfied) {
  ledger::Attestation attestation{machine_uuid, machine_name,          run_id, environment.clock.now(),
                                  to_json(identities), satisfied, {}};
  const Json statement{{"schema", "vm-patch/attestation/v1"},
                       {"host", host_name()},
                       {"machine", {{"uuid", machine_uuid}, {"name", machine_name}}},
                       {"run", run_id},
                       {"time", format_time(attestation.time)},
                       {"identities", attestation.identities},
                       {"satisfied", satisfied}};
  VMPATCH_TRY(const auto key, attestation_key(environment.places));
  trust::Envelope envelope{std::string(trust::attestation_payload_type), dump_json(statement), {}};
  VMPATCH_CHECK(trust::add_signature(envelope, key));
  attestation.envelope = trust::write_envelope(envelope);
  return attestation;
}

}  // namespace vmpatch::engine
