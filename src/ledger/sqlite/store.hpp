#pragma once
// The Store on SQLite. Its methods are in store.cpp, and by subject in store_runs.cpp, store_undo.cpp, store_attestations.cpp.

#include <mutex>

#include "ledger/sqlite/sealed_database.hpp"
#include "vmpatch/ledger/store.hpp"

namespace vmpatch::ledger {

class SqliteStore final : public Store {
 public:
  SqliteStore(SealedDatabase sealed, const Clock& clock) : sealed_(std::move(sealed)), clock_(clock) {}

  Result<void> together(const std::function<Result<void>()>& work) override { return write(work); }

  Result<void> create_run(const Run& run) override;
  Result<void> lease(const std::string& run_id, const Holder& holder, const std::vector<std::string>& disks) override;
  Result<void> advance(const std::string& run_id, RunState from, RunState to, const Json& detail,
                       const std::string& error) override;
  Result<void> adopt(const std::string& run_id, const Holder& holder) override;
  Result<std::vector<Run>> runs(const RunFilter& filter) override;

  Result<void> keep_undo(const Undo& undo) override;
  Result<void> use_undo(const std::string& run_id, const std::string& by_run) override;
  Result<void> release_undo(const std::string& run_id, const std::string& by_run, UndoState to) override;
  Result<void> expire_undo(const std::string& run_id) override;
  Result<std::vector<Undo>> undos(const UndoFilter& filter) override;

  Result<void> attest(const std::string& run_id, const Attestation& attestation) override;
  Result<void> attest_checked(const Attestation& attestation) override;
  Result<std::optional<Attestation>> attestation(const std::string& machine_uuid) override;
  Result<std::vector<Attestation>> attestations() override;
  Result<void> each_attestation(const std::function<Result<void>(const Attestation&)>& visit) override;

  Result<Seen> seen_recipe(const std::string& recipe_id) override;
  Result<void> note_recipe(const std::string& recipe_id, std::uint32_t version, const std::string& digest) override;

  Result<void> add_override(const Override& entry) override;
  Result<std::vector<Override>> overrides(const std::string& machine_uuid) override;

  Result<void> publish_policy(const Json& policy, const Json& origin) override;
  Result<std::optional<std::pair<Json, Json>>> published_policy() override;

  Result<void> audit(const std::string& action, const std::string& subject, const Json& data) override;
  Result<std::vector<AuditRow>> audit_rows(std::int64_t first, std::size_t limit) override;
  Result<std::int64_t> verify_audit() override;

 private:
  Result<void> write(const std::function<Result<void>()>& work) {
    const std::lock_guard lock(mutex_);
    return sealed_.write(work);
  }
  template <class Ask>
  auto ask(Ask work) -> decltype(work()) {
    const std::lock_guard lock(mutex_);
    return sealed_.ask(work);
  }
  Result<void> note(const std::string& action, const std::string& subject, const Json& data) {
    return sealed_.note(clock_.now(), action, subject, data);
  }
  Database& database() { return sealed_.database(); }
  // Inside ask() or write().
  Result<Run> load_run(const std::string& run_id);
  /// All of them, newest first.
  Result<std::vector<Run>> unfinished_runs();
  /// Errc::busy or recovery_needed, when an unfinished run holds the machine or one of the disks.
  Result<void> check_free(const Run& run, const std::vector<std::string>& disks);
  Result<void> add_disks(const std::string& run_id, const std::vector<std::string>& keys);
  /// `noted` goes into the audit row only.
  Result<void> set_state(const Run& run, RunState to, const Json& detail, const std::string& error, const Json& noted = {});
  Result<void> set_holder(const std::string& run_id, const Holder& holder);
  Result<Undo> load_undo(const std::string& run_id);
  /// The error that names who reads it.
  Error in_use(const Undo& undo);
  Result<void> set_undo(const Undo& undo, UndoState to, const std::string& used_by);
  /// A run that has ended reads no undo any more.
  Result<void> let_undo_go(const Run& run, RunState to);
  Result<std::int64_t> last_attestation();
  Result<std::optional<Attestation>> newest_attestation(const std::string& machine_uuid);
  Result<void> save_attestation(const Attestation& attestation, const std::string& action, const std::string& subject);

  SealedDatabase sealed_;
  const Clock& clock_;
  std::recursive_mutex mutex_;  ///< a connection has one transaction at a time; together() calls back into the other methods
};

}  // namespace vmpatch::ledger
