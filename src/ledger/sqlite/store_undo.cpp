#include "ledger/sqlite/store.hpp"

#include "ledger/sqlite/rows.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::ledger {
namespace {

Error not_kept(const Undo& undo) {
  if (undo.state == UndoState::expired) {
    return fail(Errc::refused, "the undo of run {} has expired; restore a backup instead", undo.run_id);
  }
  return fail(Errc::refused, "run {} was rolled back already, by run {}", undo.run_id, undo.used_by);
}

}  // namespace

Result<Undo> SqliteStore::load_undo(const std::string& run_id) {
  VMPATCH_TRY(const auto row, sealed_.load_key(kinds::undo, run_id, "undo/" + run_id, {"run_id = ?", {run_id}}));
  if (!row) return fail(Errc::not_found, "run {} has no undo, so it cannot be taken back", escape_untrusted(run_id));
  return read_undo(*row);
}

Result<void> SqliteStore::set_undo(const Undo& undo, UndoState to, const std::string& used_by) {
  VMPATCH_CHECK(sealed_.change(kinds::undo, {"run_id = ?", {undo.run_id}}, [&]() -> Result<void> {
    VMPATCH_TRY(Statement update, database().prepare("UPDATE undo SET state = ?, used_by = ? WHERE run_id = ?"));
    return update.bind(to_string(to), used_by, undo.run_id).run();
  }));
  Json data{{"machine", undo.machine_uuid}, {"from", to_string(undo.state)}};
  if (const std::string& by = used_by.empty() ? undo.used_by : used_by; !by.empty()) data["by"] = by;
  return note(fmt::format("undo.{}", to_string(to)), undo.run_id, data);
}

Result<void> SqliteStore::let_undo_go(const Run& run, RunState to) {
  if (!is_final(to)) return {};
  VMPATCH_TRY(const Rows rows, sealed_.load(kinds::undo, {"state = 'in_use' AND used_by = ?", {run.id}}));
  VMPATCH_TRY(const auto used, read_each(rows, read_undo));
  for (const Undo& undo : used) {
    VMPATCH_CHECK(to == RunState::attested ? set_undo(undo, UndoState::spent, run.id) : set_undo(undo, UndoState::kept, ""));
  }
  return {};
}

Result<void> SqliteStore::keep_undo(const Undo& undo) {
  if (undo.state != UndoState::kept || !undo.used_by.empty()) return fail(Errc::failed, "the undo of run {} must begin as kept", undo.run_id);
  if (!undo.detail.is_null() && !undo.detail.is_object()) return fail(Errc::failed, "undo of run {}: detail must be an object", undo.run_id);
  return write([&]() -> Result<void> {
    VMPATCH_TRY(const Run run, load_run(undo.run_id));
    if (run.machine_uuid != undo.machine_uuid) {
      return fail(Errc::failed, "run {} is not about machine {}", run.id, escape_untrusted(undo.machine_uuid));
    }
    const auto known = load_undo(undo.run_id);
    if (known) return fail(Errc::refused, "run {} has an undo already", undo.run_id);
    if (known.error().code != Errc::not_found) return known.error();
    VMPATCH_CHECK(sealed_.change(kinds::undo, {"run_id = ?", {undo.run_id}}, [&]() -> Result<void> {
      VMPATCH_TRY(Statement insert,
                  database().prepare(fmt::format("INSERT INTO undo ({}) VALUES (?, ?, ?, ?, ?, ?, '', ?)", undo_columns)));
      const std::string detail = undo.detail.is_null() ? "{}" : dump_json(undo.detail);
      const Time created = undo.created == Time{} ? clock_.now() : undo.created;
      return insert.bind(undo.run_id, undo.machine_uuid, undo.machine_name, created, static_cast<std::int64_t>(undo.bytes),
                         to_string(undo.state), detail).run();
    }));
    return note("undo.kept", undo.run_id, {{"machine", undo.machine_uuid}, {"bytes", undo.bytes}});
  });
}

Result<void> SqliteStore::use_undo(const std::string& run_id, const std::string& by_run) {
  return write([&]() -> Result<void> {
    VMPATCH_TRY(const Run user, load_run(by_run));
    if (is_final(user.state)) return fail(Errc::failed, "run {} is {}: it reads no undo any more", by_run, to_string(user.state));
    VMPATCH_TRY(const Undo undo, load_undo(run_id));
    if (undo.state == UndoState::kept) return set_undo(undo, UndoState::in_use, by_run);
    if (undo.state != UndoState::in_use) return not_kept(undo);
    if (undo.used_by == by_run) return {};
    return in_use(undo);
  });
}

Error SqliteStore::in_use(const Undo& undo) {
  auto user = load_run(undo.used_by);
  if (!user) return user.error();
  if (user->state == RunState::planned || is_alive(user->holder)) {
    return fail(Errc::busy, "the undo of run {} is read by run {} (process {}, state {}); wait for it to end", undo.run_id, user->id,
                user->holder.pid, to_string(user->state));
  }
  return fail(Errc::recovery_needed, "the undo of run {} is read by run {}, which was interrupted in state {}; run `vm-patch recover`",
              undo.run_id, user->id, to_string(user->state));
}

Result<void> SqliteStore::release_undo(const std::string& run_id, const std::string& by_run, UndoState to) {
  if (to != UndoState::kept && to != UndoState::spent) {
    return fail(Errc::failed, "the undo of run {} cannot be released as {}", run_id, to_string(to));
  }
  return write([&]() -> Result<void> {
    VMPATCH_TRY(const Undo undo, load_undo(run_id));
    if (undo.state == UndoState::in_use && undo.used_by == by_run) {
      return set_undo(undo, to, to == UndoState::spent ? by_run : "");
    }
    if (undo.state == to && (to == UndoState::kept || undo.used_by == by_run)) return {};
    return fail(Errc::refused, "the undo of run {} is {}{}, not in use by run {}", run_id, to_string(undo.state),
                undo.used_by.empty() ? "" : " by run " + undo.used_by, by_run);
  });
}

Result<void> SqliteStore::expire_undo(const std::string& run_id) {
  return write([&]() -> Result<void> {
    VMPATCH_TRY(const Undo undo, load_undo(run_id));
    if (undo.state == UndoState::expired) return {};
    if (undo.state == UndoState::kept) return set_undo(undo, UndoState::expired, "");
    if (undo.state == UndoState::spent) return not_kept(undo);
    return fail(Errc::busy, "the undo of run {} is read by run {}; it expires when that has ended", run_id, undo.used_by);
  });
}

Result<std::vector<Undo>> SqliteStore::undos(const UndoFilter& filter) {
  Which which{"1"};
  const auto also = [&](std::string_view condition, std::string value) {
    which.where += condition;
    which.values.push_back(std::move(value));
  };
  if (filter.machine_uuid) also(" AND machine_uuid = ?", *filter.machine_uuid);
  if (filter.run_id) also(" AND run_id = ?", *filter.run_id);
  if (filter.created_before) also(" AND created < ?", std::to_string(filter.created_before->time_since_epoch().count()));
  std::string states;
  for (const UndoState state : filter.states) states += fmt::format("{}'{}'", states.empty() ? "" : ", ", to_string(state));
  if (!states.empty()) which.where += fmt::format(" AND state IN ({})", states);
  return ask([&]() -> Result<std::vector<Undo>> {
    which.where += " ORDER BY created, run_id";
    VMPATCH_TRY(const Rows rows, sealed_.load(kinds::undo, which));
    return read_each(rows, read_undo);
  });
}

}  // namespace vmpatch::ledger
