#pragma once
// The Store port. One SQLite file in WAL mode with synchronous=FULL; every method is one transaction, durable on return. What
// something else changed in it is Errc::untrusted.

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/ledger/anchor.hpp"
#include "vmpatch/ledger/records.hpp"

namespace vmpatch::ledger {

/// Every condition that is set must hold.
struct RunFilter {
  std::optional<std::string> machine_uuid = {};
  std::optional<std::string> run_id = {};
  std::vector<std::string> disks = {};  ///< runs that hold, or held, any of these; empty = whatever they hold
  bool unfinished_only = false;
  std::size_t limit = 0;  ///< newest first; 0 = all
};

/// Every condition that is set must hold; oldest first, all of them.
struct UndoFilter {
  std::optional<std::string> machine_uuid = {};
  std::optional<std::string> run_id = {};
  std::vector<UndoState> states = {};  ///< any of these; empty = all
  std::optional<Time> created_before = {};
};

class Store {
 public:
  virtual ~Store() = default;

  /// Every call that `work` makes is one transaction: all or nothing, durable on return. A call that fails inside is the end
  /// of all of it, whatever `work` makes of that. So "committed" and "its undo is kept" are one step. Other writers wait.
  virtual Result<void> together(const std::function<Result<void>()>& work) = 0;

  /// Inserts a run in state `planned`, without disks, with its audit row.
  virtual Result<void> create_run(const Run& run) = 0;
  /// Takes the lease of the machine and of every disk for the run's holder: one run a machine and a disk, from here until it
  /// has ended. Errc::busy names the run, and which of machine and disks it holds, if its process lives; Errc::recovery_needed
  /// when that is dead. Keys are opaque text: at most 64, of 1 to 512 bytes each; Errc::refused otherwise. State becomes
  /// `leased`.
  virtual Result<void> lease(const std::string& run_id, const Holder& holder, const std::vector<std::string>& disks) = 0;
  /// Moves on, if `may_follow` and the state still is `from`; writes `detail` (merge-patched into the stored one) and the
  /// audit row in the same transaction. A run that ends lets go of the undo that it reads: see use_undo().
  virtual Result<void> advance(const std::string& run_id, RunState from, RunState to, const Json& detail,
                               const std::string& error) = 0;
  /// A recoverer takes over a dead holder's run; counts the attempt.
  virtual Result<void> adopt(const std::string& run_id, const Holder& holder) = 0;
  virtual Result<std::vector<Run>> runs(const RunFilter& filter) = 0;

  /// Final step: attestation, gate view, state `attested` and audit row in one transaction.
  virtual Result<void> attest(const std::string& run_id, const Attestation& attestation) = 0;
  /// Attestation without a run (verify on an already compliant machine).
  virtual Result<void> attest_checked(const Attestation& attestation) = 0;
  virtual Result<std::optional<Attestation>> attestation(const std::string& machine_uuid) = 0;
  virtual Result<std::vector<Attestation>> attestations() = 0;
  /// All that were ever made, oldest first. `visit` may not write.
  virtual Result<void> each_attestation(const std::function<Result<void>(const Attestation&)>& visit) = 0;

  /// A new undo, `kept`, of a run of the ledger that has none. Errc::refused: it has one.
  virtual Result<void> keep_undo(const Undo& undo) = 0;
  /// kept → in_use by the unfinished run `by_run`, one user at a time. Errc::busy names the other user if its process lives,
  /// Errc::recovery_needed if not; Errc::refused: spent or expired; Errc::not_found: there is none. By the same user again:
  /// success. When `by_run` ends, the undo follows in the same transaction: attested → spent, discarded or failed → kept.
  virtual Result<void> use_undo(const std::string& run_id, const std::string& by_run) = 0;
  /// in_use by `by_run` → kept or spent, before that run ends. Errc::refused when somebody else uses it. Is it there already:
  /// success.
  virtual Result<void> release_undo(const std::string& run_id, const std::string& by_run, UndoState to) = 0;
  /// kept → expired, before its files are removed. Errc::busy: in use; Errc::refused: spent. Expired already: success.
  virtual Result<void> expire_undo(const std::string& run_id) = 0;
  virtual Result<std::vector<Undo>> undos(const UndoFilter& filter) = 0;

  /// Highest version of a recipe that was ever used here, with its digest; 0 = never.
  struct Seen {
    std::uint32_t version = 0;
    std::string digest;
  };
  virtual Result<Seen> seen_recipe(const std::string& recipe_id) = 0;
  /// Never lowers.
  virtual Result<void> note_recipe(const std::string& recipe_id, std::uint32_t version, const std::string& digest) = 0;

  virtual Result<void> add_override(const Override& entry) = 0;
  virtual Result<std::vector<Override>> overrides(const std::string& machine_uuid) = 0;

  /// The policy as the gate sees it (canonical JSON of policy::Policy) and what file it came from.
  virtual Result<void> publish_policy(const Json& policy, const Json& origin) = 0;
  virtual Result<std::optional<std::pair<Json, Json>>> published_policy() = 0;

  virtual Result<void> audit(const std::string& action, const std::string& subject, const Json& data) = 0;
  /// In order of sequence, from `first`: as they are, for whoever looks what happened to records that do not hold any more.
  virtual Result<std::vector<AuditRow>> audit_rows(std::int64_t first, std::size_t limit) = 0;
  /// Every row of it: chain, anchor, schema, and all records against the chain. Errc::untrusted with the first thing that does not
  /// fit. Value: number of audit rows.
  virtual Result<std::int64_t> verify_audit() = 0;
};

struct StoreOptions {
  bool create = true;  ///< false: a missing file is Errc::not_found, or untrusted when the anchor knows of it
  /// Called after each commit that appended audit rows, with the newest row of this chain first and then what the anchor knows of
  /// the others: to be told elsewhere.
  std::function<void(const std::vector<Head>&)> announce = {};
  /// Called after a commit that the anchor could not be moved on to: what puts an older copy in the ledger's place would not be seen.
  std::function<void(const Error&)> not_anchored = {};
};

/// Opens or creates; migrates to the newest schema. Errors: failed; refused when the schema is newer than this program,
/// or the folder is writable by others; untrusted, here and in every method, when the records are not what their chain says, or the
/// chain is not what its anchor says (anchor.hpp).
Result<std::unique_ptr<Store>> open_store(const std::filesystem::path& file, const Clock& clock, const StoreOptions& options = {});

/// This process as a holder, and whether a holder's process still lives.
Result<Holder> this_holder();
[[nodiscard]] bool is_alive(const Holder& holder);

}  // namespace vmpatch::ledger
