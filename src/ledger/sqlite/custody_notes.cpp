// Beside the custody itself: saved memory, used overrides, machines to look at again.
#include "ledger/sqlite/custody.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {
namespace {

Result<SavedMemory> read_saved(const Row& row) {
  SavedMemory saved;
  VMPATCH_TRY(saved.identities, row.json(1));
  saved.time = row.time(2);
  saved.memory = row.integer(3) == 1;
  saved.without_memory = row.integer(3) == 2;
  saved.managed = row.integer(4) != 0;
  if (!row.is_null(5)) saved.forgotten = row.time(5);
  return saved;
}

}  // namespace

Result<void> SqliteCustody::put_saved(const std::string& machine_uuid, const SavedMemory& saved) {
  return replace(kinds::saved, machine_uuid, [&]() -> Result<void> {
    VMPATCH_TRY(Statement s, database().prepare("INSERT OR REPLACE INTO saved (machine_uuid, identities, time, memory, managed, forgotten) "
                                                "VALUES (?, ?, ?, ?, ?, ?)"));
    const std::string text = dump_json(saved.identities);
    const std::int64_t memory = saved.memory ? 1 : saved.without_memory ? 2 : 0;
    return s
        .bind(machine_uuid, text, saved.time, memory, std::int64_t{saved.memory && saved.managed}, saved.forgotten)
        .run();
  });
}

Result<std::optional<SavedMemory>> SqliteCustody::saved(const std::string& machine_uuid) {
  return ask([&]() -> Result<std::optional<SavedMemory>> {
    VMPATCH_TRY(const auto row, load(kinds::saved, machine_uuid));
    if (!row) return std::optional<SavedMemory>();
    VMPATCH_TRY(auto saved, read_saved(*row));
    return std::optional(std::move(saved));
  });
}

Result<std::map<std::string, SavedMemory>> SqliteCustody::all_saved() {
  return ask([&]() -> Result<std::map<std::string, SavedMemory>> {
    VMPATCH_TRY(const Rows rows, sealed_.load_all(kinds::saved, "machine_uuid"));
    std::map<std::string, SavedMemory> all;
    for (const Row& row : rows) {
      VMPATCH_TRY(all[row.text(0)], read_saved(row));
    }
    return all;
  });
}

Result<void> SqliteCustody::forget_memory(const std::string& machine_uuid, const std::string& reason, Time time) {
  return write([&]() -> Result<void> {
    VMPATCH_TRY(auto before, saved(machine_uuid));
    if (!before || !before->memory) return {};
    before->memory = before->managed = false;
    VMPATCH_CHECK(put_saved(machine_uuid, *before));
    return record("gate.forget-save", machine_uuid, {{"reason", reason}, {"saved", format_time(before->time)}}, time);
  });
}

Result<void> SqliteCustody::throw_memory_away(const std::string& machine_uuid, Time until, const std::string& reason, Time time) {
  return write([&]() -> Result<void> {
    VMPATCH_TRY(const auto before, saved(machine_uuid));
    SavedMemory after = before.value_or(SavedMemory{Json(), until});
    if (after.time <= until) after.memory = after.managed = false;
    after.forgotten = std::max(until, after.forgotten.value_or(until));
    VMPATCH_CHECK(put_saved(machine_uuid, after));
    return record("gate.forget-save", machine_uuid, {{"reason", reason}, {"saved", format_time(until)}}, time);
  });
}

Result<void> SqliteCustody::use_override(const std::string& override_id, Time time) {
  return write([&]() -> Result<void> {
    const Which which{"id = ?", {override_id}};
    VMPATCH_TRY(const auto used, sealed_.load_key(kinds::used_override, "used", "used/" + override_id, which));
    if (used) return fail(Errc::refused, "override {} was used already", override_id);
    return sealed_.change(kinds::used_override, which, [&]() -> Result<void> {
      VMPATCH_TRY(Statement s, database().prepare("INSERT INTO used_overrides (id, time) VALUES (?, ?)"));
      return s.bind(override_id, time).run();
    });
  });
}

Result<std::vector<std::string>> SqliteCustody::used_overrides() {
  return ask([&]() -> Result<std::vector<std::string>> {
    VMPATCH_TRY(const Rows rows, sealed_.load_prefix(kinds::used_override, "used", "used/", {"1"}));
    std::vector<std::string> all;
    for (const Row& row : rows) all.push_back(row.text(0));
    return all;
  });
}

Result<void> SqliteCustody::queue_rescan(const std::string& machine_uuid, const std::string& reason, Time time) {
  return replace(kinds::rescan, machine_uuid, [&]() -> Result<void> {
    VMPATCH_TRY(Statement s, database().prepare("INSERT OR REPLACE INTO rescans (machine_uuid, reason, time) VALUES (?, ?, ?)"));
    return s.bind(machine_uuid, reason, time).run();
  });
}

Result<std::vector<Rescan>> SqliteCustody::rescans() {
  return ask([&]() -> Result<std::vector<Rescan>> {
    VMPATCH_TRY(const Rows rows, sealed_.load_all(kinds::rescan, "time, machine_uuid"));
    std::vector<Rescan> all;
    for (const Row& row : rows) all.push_back({row.text(0), row.text(1), row.time(2)});
    return all;
  });
}

}  // namespace vmpatch::ledger
