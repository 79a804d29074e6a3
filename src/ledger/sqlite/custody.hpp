#pragma once
// CustodyStore over SQLite. Sealed records: see README.md.

#include <mutex>

#include "ledger/sqlite/sealed_database.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/ledger/gate_view.hpp"

namespace vmpatch::ledger {

class SqliteCustody final : public CustodyStore {
 public:
  explicit SqliteCustody(SealedDatabase sealed) : sealed_(std::move(sealed)) {}

  Result<void> together(const std::function<Result<void>()>& work) override { return write(work); }
  Result<std::optional<Custody>> last(const std::string& machine_uuid) override;
  Result<void> put(const Custody& custody) override;
  Result<void> put_restore(const PendingRestore& restore) override;
  Result<std::optional<PendingRestore>> restore(const std::string& machine_uuid) override;
  Result<void> drop_restore(const std::string& machine_uuid) override;
  Result<void> put_saved(const std::string& machine_uuid, const SavedMemory& saved) override;
  Result<std::optional<SavedMemory>> saved(const std::string& machine_uuid) override;
  Result<std::map<std::string, SavedMemory>> all_saved() override;
  Result<void> forget_memory(const std::string& machine_uuid, const std::string& reason, Time time) override;
  Result<void> throw_memory_away(const std::string& machine_uuid, Time until, const std::string& reason, Time time) override;
  Result<void> record(const std::string& action, const std::string& subject, const Json& data, Time time) override {
    return write([&] { return sealed_.note(time, action, subject, data); });
  }
  Result<std::vector<AuditRow>> records(std::int64_t first, std::size_t limit) override;
  Result<std::int64_t> verify() override;
  Result<void> use_override(const std::string& override_id, Time time) override;
  Result<std::vector<std::string>> used_overrides() override;
  Result<void> queue_rescan(const std::string& machine_uuid, const std::string& reason, Time time) override;
  Result<std::vector<Rescan>> rescans() override;

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
  /// Replaces the machine's record.
  Result<void> replace(const RecordKind& kind, const std::string& machine_uuid, const std::function<Result<void>()>& work) {
    return write([&] { return sealed_.change(kind, {"machine_uuid = ?", {machine_uuid}}, work); });
  }
  /// Inside ask().
  Result<std::optional<Row>> load(const RecordKind& kind, const std::string& machine_uuid) {
    return sealed_.load_key(kind, machine_uuid, fmt::format("{}/{}", kind.name, machine_uuid), {"machine_uuid = ?", {machine_uuid}});
  }
  Database& database() { return sealed_.database(); }

  SealedDatabase sealed_;
  std::recursive_mutex mutex_;  ///< together() calls back into the other methods
};

}  // namespace vmpatch::ledger
