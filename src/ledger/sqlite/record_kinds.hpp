#pragma once
// Which records are sealed, and what a seal covers.

#include <array>
#include <string_view>
#include <vector>

namespace vmpatch::ledger {

/// `select` gives the group and the key of each record, then everything that it says: the digest of these columns, with their
/// types, is the seal. "WHERE …" may follow.
struct RecordKind {
  std::string_view name;
  std::string_view select;
};

/// One database of ours. A migration that changes what a kind's `select` gives must bring the seals along.
struct RecordSchema {
  std::string_view chain;  ///< name in the anchor
  const std::vector<std::string_view>& (*migrations)();
  /// Of schema_text() of a new database, as the newest migration makes it.
  std::string_view schema_sha256;
  /// First version with seals and an anchor.
  std::int64_t sealed_from;
  const std::vector<const RecordKind*>& (*kinds)();
};

const RecordSchema& ledger_schema();
const RecordSchema& custody_schema();

namespace kinds {
/// open/ID in the group "open" until the run has ended, then run/ID in the group ID.
extern const RecordKind run;
/// undo/RUN in the group RUN.
extern const RecordKind undo;
/// attestation/MACHINE/SEQUENCE in the group MACHINE, in order.
extern const RecordKind attestation;
/// recipe/ID in the group ID.
extern const RecordKind recipe;
/// override/MACHINE/ID in the group MACHINE.
extern const RecordKind override_entry;
/// policy in the group "policy".
extern const RecordKind policy;
/// custody/MACHINE, restore/MACHINE, saved/MACHINE and rescan/MACHINE in the group MACHINE.
extern const RecordKind custody;
extern const RecordKind restore;
extern const RecordKind saved;
extern const RecordKind rescan;
/// used/OVERRIDE in the group "used".
extern const RecordKind used_override;
}  // namespace kinds

}  // namespace vmpatch::ledger
