#include "ledger/audit.hpp"

#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {
namespace {

void append_netstring(std::string& out, std::string_view text) { fmt::format_to(std::back_inserter(out), "{}:{},", text.size(), text); }

}  // namespace

std::string canonical_bytes(const AuditRow& row) {
  std::string bytes = row.records ? "vm-patch/audit/v2\n" : "vm-patch/audit/v1\n";
  append_netstring(bytes, fmt::format("{}", row.sequence));
  append_netstring(bytes, fmt::format("{}", row.time.time_since_epoch().count()));
  append_netstring(bytes, row.actor);
  append_netstring(bytes, row.action);
  append_netstring(bytes, row.subject);
  append_netstring(bytes, dump_json(row.data));
  append_netstring(bytes, row.previous.hex());
  if (row.records) append_netstring(bytes, row.records->hex());
  return bytes;
}

Digest audit_digest(const AuditRow& row) { return sha256(canonical_bytes(row)); }

Result<void> check_audit_row(const AuditRow& row, const AuditRow* previous) {
  const std::int64_t expected = previous == nullptr ? 1 : previous->sequence + 1;
  if (row.sequence != expected) {
    return fail(Errc::untrusted, "audit row {} is missing: the next one is row {}", expected, row.sequence);
  }
  if (row.previous != (previous == nullptr ? Digest{} : previous->digest)) {
    return fail(Errc::untrusted, "audit row {} does not continue the row before it", row.sequence);
  }
  if (previous != nullptr && previous->records && !row.records) {
    return fail(Errc::untrusted, "audit row {} has no digest over the records, and the row before it has", row.sequence);
  }
  if (row.digest != audit_digest(row)) {
    return fail(Errc::untrusted, "audit row {} was changed: its digest does not fit", row.sequence);
  }
  return {};
}

}  // namespace vmpatch::ledger
