#pragma once
// Pure rules of an audit row.

#include <string>

#include "vmpatch/ledger/records.hpp"

namespace vmpatch::ledger {

/// What the digest covers: every field but `digest` itself. Format in README.md.
[[nodiscard]] std::string canonical_bytes(const AuditRow& row);
[[nodiscard]] Digest audit_digest(const AuditRow& row);

/// Errc::untrusted when `row` does not follow `previous` (null: it must be the first row).
Result<void> check_audit_row(const AuditRow& row, const AuditRow* previous);

/// Who runs this process: "root (0)", with SUDO_USER "alice (1000) as root (0)".
[[nodiscard]] std::string actor();

}  // namespace vmpatch::ledger
