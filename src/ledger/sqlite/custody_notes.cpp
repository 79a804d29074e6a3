// Beside the custody itself: saved memory, used overrides, machines to look at again.
#include "ledger/sqlite/custody.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {
namespace {

/// Columns: identities, time, memory, managed, forgotten, from `first`.
Result<SavedMemory> read_saved(const Statement& s, int first) {
  SavedMemory saved;
  VMPATCH_TRY(saved.identities, s.json(first));
  saved.time = s.time(first + 1);
  saved.memory = s.integer(first + 2) == 1;
  saved.without_memory = s.integer(first + 2) == 2;
  saved.managed = s.integer(first + 3) != 0;
  if (!s.is_null(first + 4)) saved.forgotten = s.time(first + 4);
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
    VMPATCH_CHECK(check(kinds::saved, machine_uuid));
    VMPATCH_TRY(Statement s, database().prepare("SELECT identities, time, memory, managed, forgotten FROM saved WHERE machine_uuid = ?"));
    VMPATCH_TRY(const bool found, s.bind(machine_uuid).step());
    if (!found) return std::optional<SavedMemory>();
    VMPATCH_TRY(auto saved, read_saved(s, 0));
    return std::optional(std::move(saved));
  });
}

Result<std::map<std::string, SavedMemory>> SqliteCustody::all_saved() {
  return ask([&]() -> Result<std::map<std::string, SavedMemory>> {
    VMPATCH_CHECK(sealed_.check_all(kinds::saved));
    VMPATCH_TRY(Statement s, database().prepare("SELECT machine_uuid, identities, time, memory, managed, forgotten FROM saved"));
    std::map<std::string, SavedMemory> all;
    for (;;) {
      VMPATCH_TRY(const bool found, s.step());
      if (!found) return all;
      VMPATCH_TRY(all[s.text(0)], read_saved(s, 1));
    }
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
    VMPATCH_CHECK(sealed_.check_key(kinds::used_override, "used", "used/" + override_id, which));
    VMPATCH_CHECK(sealed_.change(kinds::used_override, which, [&]() -> Result<void> {
      VMPATCH_TRY(Statement s, database().prepare("INSERT OR IGNORE INTO used_overrides (id, time) VALUES (?, ?)"));
      return s.bind(override_id, time).run();
    }));
    if (database().changes() == 0) return fail(Errc::refused, "override {} was used already", override_id);
    return {};
  });
}

Result<std::vector<std::string>> SqliteCustody::used_overrides() {
  return ask([&]() -> Result<std::vector<std::string>> {
    VMPATCH_CHECK(sealed_.check_prefix(kinds::used_override, "used", "used/", {"1"}));
    VMPATCH_TRY(Statement s, database().prepare("SELECT id FROM used_overrides"));
    std::vector<std::string> all;
    for (;;) {
      VMPATCH_TRY(const bool found, s.step());
      if (!found) return all;
      all.push_back(s.text(0));
    }
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
    VMPATCH_CHECK(sealed_.check_all(kinds::rescan));
    VMPATCH_TRY(Statement s, database().prepare("SELECT machine_uuid, reason, time FROM rescans ORDER BY time, machine_uuid"));
    std::vector<Rescan> all;
    for (;;) {
      VMPATCH_TRY(const bool found, s.step());
      if (!found) return all;
      all.push_back({s.text(0), s.text(1), s.time(2)});
    }
  });
}

}  // namespace vmpatch::ledger
