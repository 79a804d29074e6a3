#include <algorithm>

#include "cli/audit/audit_verbs.hpp"
#include "cli/audit/examined_text.hpp"
#include "cli/common/output.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/engine/attestation_keys.hpp"
#include "vmpatch/ledger/gate_view.hpp"
#include "vmpatch/ledger/store.hpp"
#include "vmpatch/trust/keyring.hpp"

namespace vmpatch::cli {
namespace {

struct Signatures {
  std::size_t checked = 0;
  std::vector<std::string> problems;
};

/// The signed statement must say what the row says: a row that was changed keeps a signature that holds.
Result<void> check_statement(const ledger::Attestation& attestation, const std::string& payload, const std::string& name) {
  VMPATCH_TRY(const Json statement, parse_json(payload, name));
  const auto has = [&](const char* key, const Json& value) { return statement.is_object() && statement.value(key, Json()) == value; };
  const Json machine = statement.is_object() ? statement.value("machine", Json()) : Json();
  const bool same_machine = machine.is_object() && machine.value("uuid", Json()) == Json(attestation.machine_uuid);
  if (same_machine && has("identities", attestation.identities) && has("satisfied", attestation.satisfied) &&
      has("run", attestation.run_id) && has("time", format_time(attestation.time))) {
    return {};
  }
  return fail(Errc::untrusted, "{}: the ledger says something else than what was signed", name);
}

Result<void> check_signature(const trust::Verifier& verifier, const ledger::Attestation& attestation) {
  const std::string name = fmt::format("attestation of {} ({})", escape_untrusted(attestation.machine_name), attestation.machine_uuid);
  VMPATCH_TRY(const auto envelope, trust::parse_envelope(attestation.envelope, name));
  VMPATCH_TRY(const auto payload, verifier.verify(envelope, trust::attestation_payload_type, name));
  return check_statement(attestation, payload.get(), name);
}

/// Every attestation that was ever made. A ledger that cannot be believed is read all the same, as far as that goes.
Result<Signatures> check_signatures(const Context& context, ledger::Store& store) {
  Signatures signatures;
  trust::Keyring keyring;  // the verifier refers to it
  std::optional<trust::Verifier> verifier;
  VMPATCH_CHECK(store.each_attestation([&](const ledger::Attestation& attestation) -> Result<void> {
    ++signatures.checked;
    if (!verifier) {
      VMPATCH_TRY(keyring, engine::load_attestation_keyring(context.paths.keys()));
      verifier.emplace(keyring, context.clock.now());
    }
    if (auto held = check_signature(*verifier, attestation); !held) signatures.problems.push_back(held.error().message);
    return {};
  }));
  return signatures;
}

/// Brings both databases up to date, and gives the ledger. What cannot be believed is no error here: it is examined next.
Result<std::unique_ptr<ledger::Store>> open_both(const Context& context) {
  auto store = ledger::open_store(context.paths.ledger(), context.clock, {.create = false});
  if (!store && store.error().code != Errc::untrusted && store.error().code != Errc::not_found) return store.error();
  const auto custody = ledger::CustodyStore::open(context.paths.custody(), {.create = false});
  if (!custody && custody.error().code != Errc::untrusted && custody.error().code != Errc::not_found) return custody.error();
  return store ? std::move(*store) : nullptr;
}

Json to_json(const std::vector<ledger::Examined>& all, const Signatures& signatures) {
  Json json{{"schema", "vm-patch/audit-verify/v2"}, {"ok", signatures.problems.empty() && !has_problems(all)}, {"chains", Json::array()},
            {"attestations", {{"checked", signatures.checked}, {"problems", signatures.problems}}}};
  for (const ledger::Examined& one : all) json["chains"].push_back(examined_json(one));
  return json;
}

}  // namespace

Result<int> verify_audit_log(Context& context) {
  if (!ledger::has_records(context.paths.state)) return fail(Errc::not_found, "there is no ledger {}", context.paths.ledger().string());
  VMPATCH_TRY(const auto store, open_both(context));
  VMPATCH_TRY(const auto all, ledger::examine_records(context.paths.state));
  Signatures signatures;
  if (!has_problems(all) && store) {
    VMPATCH_TRY(signatures, check_signatures(context, *store));
  }
  std::vector<std::string> anchor;
  if (!has_problems(all)) anchor = ledger::tend_anchor(context.paths.state);
  const bool fine = !has_problems(all) && signatures.problems.empty();
  if (context.options.json) {
    Json json = to_json(all, signatures);
    json["anchor_warnings"] = anchor;
    print_json(json);
  } else {
    for (const ledger::Examined& one : all) print_text(examined_text(one));
    if (fine) print_text(fmt::format("attestations  {}, signatures hold\n", signatures.checked));
  }
  for (const ledger::Examined& one : all) {
    for (const std::string& problem : one.problems) context.log.error("{}: {}", one.file.string(), problem);
    for (const std::string& warning : one.warnings) context.log.warn("{}: {}", one.file.string(), warning);
  }
  for (const std::string& warning : anchor) context.log.warn("{}", warning);
  for (const std::string& problem : signatures.problems) context.log.error("{}", problem);
  return fine ? 0 : exit_code(Errc::untrusted);
}

}  // namespace vmpatch::cli
