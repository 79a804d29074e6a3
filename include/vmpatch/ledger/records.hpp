#pragma once
// What the ledger keeps: runs, undo, attestations, overrides, the audit trail. Times are UTC.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {

enum class RunState { planned, leased, staged, patched, verified, committing, committed, attested, discarded, failed, quarantined };
std::string_view to_string(RunState state);
Result<RunState> parse_run_state(std::string_view text);
/// The one table of legal transitions: forward by one; any unfinished state up to `committing` → discarded or failed (from
/// `committing`: the way back was taken, and the disks are the old ones); committing → quarantined; quarantined → committing
/// (redo, or the way back) or discarded.
[[nodiscard]] bool may_follow(RunState from, RunState to);
/// attested, discarded, failed: nothing left to do.
[[nodiscard]] bool is_final(RunState state);

/// The process that holds a run: pid + start time + boot id name it for ever.
struct Holder {
  std::int64_t pid = 0;
  std::uint64_t start_time = 0;
  std::string boot_id;
  bool operator==(const Holder&) const = default;
};

struct Run {
  std::string id;            ///< UUID
  std::string kind;          ///< "apply" or "rollback"
  std::string machine_uuid;
  std::string machine_name;
  std::string host;
  std::string recipe_id;
  std::uint32_t recipe_version = 0;
  std::string recipe_digest;  ///< hex
  RunState state = RunState::planned;
  Holder holder;
  std::uint32_t recovery_attempts = 0;
  Time created{}, updated{};
  std::string error;  ///< why it failed or was discarded
  /// Durable keys of the disks that it holds or, once it has ended, held: which file or device, as the image module says.
  /// A set, sorted; filled by Store::lease().
  std::vector<std::string> disks;
  /// What recovery needs: disks [{target, layers[{path, format}], overlay, undo, identity before}], and the report
  /// (versions before and after, kept conffiles, …). Schema in src/engine/README.md.
  Json detail;
};

/// kept: a rollback may take it. in_use: one rollback reads it as its redo log. spent: that rollback was attested. expired: it may
/// be removed.
enum class UndoState { kept, in_use, spent, expired };
std::string_view to_string(UndoState state);
Result<UndoState> parse_undo_state(std::string_view text);

/// What takes a run back: the old content of everything that it wrote. The ledger says whether it may be read or removed; the
/// files are the engine's.
struct Undo {
  std::string run_id;  ///< of the run that it takes back
  std::string machine_uuid;
  std::string machine_name;
  Time created{};
  std::uint64_t bytes = 0;  ///< that its files take; 0 = not known
  UndoState state = UndoState::kept;
  std::string used_by;  ///< the run that reads it (in_use) or that was made with it (spent); else empty
  Json detail;          ///< an object. Schema in src/engine/README.md
};

struct AuditRow {
  std::int64_t sequence = 0;
  Time time{};
  std::string actor;   ///< user name (uid), SUDO_USER where set
  std::string action;  ///< "run.committing", "gate.deny", "key.trust", …
  std::string subject; ///< machine UUID, run id, key id, …
  Json data;
  Digest previous, digest;  ///< digest = sha256 over canonical bytes of all other fields and `previous`
  /// Digest over all records after this row: what the tables hold is what the chain says. Empty in rows of before there was one.
  std::optional<Digest> records;
};

/// A signed statement: these disk identities met these recipes at this time.
struct Attestation {
  std::string machine_uuid;
  std::string machine_name;
  std::string run_id;
  Time time{};
  Json identities;  ///< {"vda": DiskIdentity JSON, …}
  Json satisfied;   ///< [{"id","version","digest","proof"}]: every recipe that holds on this machine; proof: engine::ProofKind
  std::string envelope;  ///< DSSE JSON, signed by this host's attestation key
};

struct Override {
  std::string id;
  std::string machine_uuid;
  Json identities;
  std::string reason;
  std::string actor;
  Time created{}, expires{};
  std::optional<Time> used;
};

}  // namespace vmpatch::ledger
