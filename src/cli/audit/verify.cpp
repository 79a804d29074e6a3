#include "cli/audit/audit_verbs.hpp"
#include "cli/common/output.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/engine/attestation_keys.hpp"
#include "vmpatch/ledger/gate_view.hpp"
#include "vmpatch/ledger/store.hpp"
#include "vmpatch/trust/keyring.hpp"

namespace vmpatch::cli {
namespace {

struct Verified {
  std::int64_t ledger_rows = 0;
  std::int64_t gate_rows = 0;
  std::string ledger_digest;  ///< of the last row
  std::size_t attestations = 0;
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

Result<std::size_t> verify_attestations(const Context& context, ledger::Store& store) {
  VMPATCH_TRY(const auto all, store.attestations());
  if (all.empty()) return std::size_t{0};
  VMPATCH_TRY(const auto keyring, engine::load_attestation_keyring(context.paths.keys()));
  const trust::Verifier verifier(keyring, context.clock.now());
  for (const ledger::Attestation& attestation : all) {
    const std::string name = fmt::format("attestation of {} ({})", escape_untrusted(attestation.machine_name), attestation.machine_uuid);
    VMPATCH_TRY(const auto envelope, trust::parse_envelope(attestation.envelope, name));
    VMPATCH_TRY(const auto payload, verifier.verify(envelope, trust::attestation_payload_type, name));
    VMPATCH_CHECK(check_statement(attestation, payload.get(), name));
  }
  return all.size();
}

Result<Verified> verify_all(const Context& context) {
  std::error_code error;
  if (!fs::exists(context.paths.ledger(), error)) return fail(Errc::not_found, "there is no ledger {}", context.paths.ledger().string());
  Verified verified;
  VMPATCH_TRY(const auto store, ledger::open_store(context.paths.ledger(), context.clock));
  auto rows = store->verify_audit();
  if (!rows) return rows.error().in("ledger");
  verified.ledger_rows = *rows;
  if (*rows > 0) {
    VMPATCH_TRY(const auto last, store->audit_rows(*rows, 1));
    if (!last.empty()) verified.ledger_digest = last.front().digest.hex();
  }
  if (fs::exists(context.paths.custody(), error)) {
    VMPATCH_TRY(const auto custody, ledger::CustodyStore::open(context.paths.custody()));
    auto gate_rows = custody->verify();
    if (!gate_rows) return gate_rows.error().in("gate records");
    verified.gate_rows = *gate_rows;
  }
  VMPATCH_TRY(verified.attestations, verify_attestations(context, *store));
  return verified;
}

}  // namespace

Result<int> verify_audit_log(Context& context) {
  VMPATCH_TRY(const Verified verified, verify_all(context));
  if (context.options.json) {
    print_json({{"schema", "vm-patch/audit-verify/v1"}, {"ledger_rows", verified.ledger_rows}, {"last_digest", verified.ledger_digest},
                {"gate_rows", verified.gate_rows}, {"attestations", verified.attestations}});
  } else {
    print_text(fmt::format("ledger        {} rows, chain holds, last digest {}\ngate records  {} rows, chain holds\n"
                           "attestations  {} machine(s), signatures hold\n",
                           verified.ledger_rows, verified.ledger_digest.empty() ? "-" : verified.ledger_digest, verified.gate_rows,
                           verified.attestations));
  }
  return 0;
}

}  // namespace vmpatch::cli
