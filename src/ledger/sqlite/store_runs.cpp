#include "ledger/sqlite/store.hpp"

#include <algorithm>

#include "ledger/sqlite/rows.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::ledger {
namespace {

constexpr std::size_t most_disks = 64;
constexpr std::size_t longest_key = 512;

/// `what`: "machine web01", or one of its disks.
Error held_by(const std::string& what, const Run& other) {
  if (other.state == RunState::quarantined) {
    return fail(Errc::recovery_needed, "{} is quarantined by run {}: {}; run `vm-patch recover`", what, other.id,
                other.error.empty() ? "its disks may be between old and new" : escape_untrusted(other.error));
  }
  if (is_alive(other.holder)) {
    return fail(Errc::busy, "{} is held by run {} (process {}, state {}); wait for it to end", what, other.id,
                other.holder.pid, to_string(other.state));
  }
  return fail(Errc::recovery_needed, "run {} on {} was interrupted in state {} (process {} is gone); run `vm-patch recover`",
              other.id, what, to_string(other.state), other.holder.pid);
}

Json run_summary(const Run& run) {
  return {{"machine", run.machine_uuid}, {"name", run.machine_name}, {"kind", run.kind}, {"recipe", run.recipe_id},
          {"version", run.recipe_version}, {"digest", run.recipe_digest}};
}

Json holder_json(const Holder& holder) {
  return {{"pid", holder.pid}, {"start_time", holder.start_time}, {"boot_id", holder.boot_id}};
}

/// As a set: two targets on one disk are held once.
Result<std::vector<std::string>> checked_keys(const std::string& run_id, std::vector<std::string> keys) {
  if (keys.size() > most_disks) {
    return fail(Errc::refused, "run {} would hold {} disks; at most {} can be held", run_id, keys.size(), most_disks);
  }
  for (const std::string& key : keys) {
    if (key.empty() || key.size() > longest_key) {
      return fail(Errc::refused, "run {}: the key of a disk has {} bytes; 1 to {} are allowed", run_id, key.size(), longest_key);
    }
  }
  std::ranges::sort(keys);
  keys.erase(std::ranges::unique(keys).begin(), keys.end());
  return keys;
}

}  // namespace

Result<Run> SqliteStore::load_run(const std::string& run_id) {
  VMPATCH_TRY(const auto row, sealed_.load_key(kinds::run, run_id, "run/" + run_id, {"id = ?", {run_id}}));
  if (row) return read_run(*row);
  VMPATCH_CHECK(sealed_.load_key(kinds::run, "open", "open/" + run_id, {"id = ?", {run_id}}));
  return fail(Errc::not_found, "there is no run {} in {}", escape_untrusted(run_id), database().file());
}

Result<void> SqliteStore::create_run(const Run& run) {
  if (run.state != RunState::planned) return fail(Errc::failed, "run {} must begin as planned", run.id);
  if (!run.disks.empty()) return fail(Errc::failed, "run {} takes its disks by lease()", run.id);
  return write([&]() -> Result<void> {
    Run stamped = run;
    if (stamped.created == Time{}) stamped.created = clock_.now();
    if (stamped.updated == Time{}) stamped.updated = stamped.created;
    VMPATCH_CHECK(sealed_.change(kinds::run, {"id = ?", {run.id}}, [&] { return insert_run(database(), stamped); }));
    return note("run.planned", run.id, run_summary(run));
  });
}

Result<void> SqliteStore::set_holder(const std::string& run_id, const Holder& holder) {
  return sealed_.change(kinds::run, {"id = ?", {run_id}}, [&]() -> Result<void> {
    VMPATCH_TRY(Statement update, database().prepare("UPDATE runs SET holder_pid = ?, holder_start_time = ?, holder_boot_id = ?, "
                                                     "updated = ? WHERE id = ?"));
    return update.bind(holder.pid, static_cast<std::int64_t>(holder.start_time), holder.boot_id, clock_.now(), run_id).run();
  });
}

Result<void> SqliteStore::set_state(const Run& run, RunState to, const Json& detail, const std::string& error, const Json& noted) {
  if (!may_follow(run.state, to)) {
    return fail(Errc::failed, "run {} cannot go from {} to {}", run.id, to_string(run.state), to_string(to));
  }
  Json merged = run.detail;
  if (detail.is_object()) merged.merge_patch(detail);
  const std::string text = dump_json(merged);
  const std::string& kept_error = error.empty() ? run.error : error;
  VMPATCH_CHECK(sealed_.change(kinds::run, {"id = ?", {run.id}}, [&]() -> Result<void> {
    VMPATCH_TRY(Statement update, database().prepare("UPDATE runs SET state = ?, detail = ?, error = ?, updated = ? WHERE id = ?"));
    return update.bind(to_string(to), text, kept_error, clock_.now(), run.id).run();
  }));
  Json data{{"machine", run.machine_uuid}, {"from", to_string(run.state)}};
  if (!error.empty()) data["error"] = error;
  if (noted.is_object()) data.update(noted);
  VMPATCH_CHECK(note(fmt::format("run.{}", to_string(to)), run.id, data));
  return let_undo_go(run, to);
}

Result<void> SqliteStore::check_free(const Run& run, const std::vector<std::string>& disks) {
  VMPATCH_TRY(auto holding, unfinished_runs());
  std::erase_if(holding, [](const Run& other) { return other.state == RunState::planned; });
  const auto same_machine = std::ranges::find(holding, run.machine_uuid, &Run::machine_uuid);
  if (same_machine != holding.end()) return held_by("machine " + escape_untrusted(same_machine->machine_name), *same_machine);
  for (const std::string& disk : disks) {
    const auto other = std::ranges::find_if(holding, [&](const Run& one) { return std::ranges::find(one.disks, disk) != one.disks.end(); });
    if (other == holding.end()) continue;
    return held_by(fmt::format("disk {} of machine {}", escape_untrusted(disk), escape_untrusted(other->machine_name)), *other);
  }
  return {};
}

Result<void> SqliteStore::add_disks(const std::string& run_id, const std::vector<std::string>& keys) {
  return sealed_.change(kinds::run, {"id = ?", {run_id}}, [&]() -> Result<void> {
    for (const std::string& key : keys) {
      // The trigger on the run's state takes hold of it.
      VMPATCH_TRY(Statement insert, database().prepare("INSERT INTO run_disks (run_id, disk_key, held) VALUES (?, ?, 0)"));
      VMPATCH_CHECK(insert.bind(run_id, key).run());
    }
    return {};
  });
}

Result<void> SqliteStore::lease(const std::string& run_id, const Holder& holder, const std::vector<std::string>& disks) {
  VMPATCH_TRY(const auto keys, checked_keys(run_id, disks));
  return write([&]() -> Result<void> {
    VMPATCH_TRY(const Run run, load_run(run_id));
    VMPATCH_CHECK(check_free(run, keys));
    VMPATCH_CHECK(set_holder(run_id, holder));
    VMPATCH_CHECK(add_disks(run_id, keys));
    return set_state(run, RunState::leased, Json::object({{"holder", holder_json(holder)}}), "", {{"disks", keys}});
  });
}

Result<void> SqliteStore::advance(const std::string& run_id, RunState from, RunState to, const Json& detail,
                                  const std::string& error) {
  if (!detail.is_null() && !detail.is_object()) return fail(Errc::failed, "run {}: detail must be an object", run_id);
  if (to == RunState::leased) return fail(Errc::failed, "run {} becomes leased by lease() only", run_id);
  if (to == RunState::attested) return fail(Errc::failed, "run {} becomes attested by attest() only", run_id);
  return write([&]() -> Result<void> {
    VMPATCH_TRY(const Run run, load_run(run_id));
    if (run.state != from) {
      return fail(Errc::busy, "run {} is {} now, not {}: another process has moved it", run.id, to_string(run.state),
                  to_string(from));
    }
    return set_state(run, to, detail, error);
  });
}

Result<void> SqliteStore::adopt(const std::string& run_id, const Holder& holder) {
  return write([&]() -> Result<void> {
    VMPATCH_TRY(const Run run, load_run(run_id));
    if (is_final(run.state)) return fail(Errc::refused, "run {} is {}: nothing to recover", run.id, to_string(run.state));
    if (!(run.holder == holder) && is_alive(run.holder)) {
      return fail(Errc::busy, "run {} on machine {} is alive (process {}); wait for it to end", run.id,
                  escape_untrusted(run.machine_name), run.holder.pid);
    }
    VMPATCH_CHECK(set_holder(run_id, holder));
    VMPATCH_CHECK(sealed_.change(kinds::run, {"id = ?", {run_id}}, [&]() -> Result<void> {
      VMPATCH_TRY(Statement count, database().prepare("UPDATE runs SET recovery_attempts = recovery_attempts + 1 WHERE id = ?"));
      return count.bind(run_id).run();
    }));
    return note("run.adopted", run_id, {{"machine", run.machine_uuid}, {"attempt", run.recovery_attempts + 1}});
  });
}

Result<std::vector<Run>> SqliteStore::runs(const RunFilter& filter) {
  std::string where = filter.unfinished_only ? std::string(unfinished) : "1";
  std::vector<std::string> values;
  if (filter.machine_uuid) {
    where += " AND machine_uuid = ?";
    values.push_back(*filter.machine_uuid);
  }
  if (filter.run_id) {
    where += " AND id = ?";
    values.push_back(*filter.run_id);
  }
  if (!filter.disks.empty()) {
    where += " AND id IN (SELECT run_id FROM run_disks WHERE disk_key IN (?";
    for (std::size_t i = 1; i < filter.disks.size(); ++i) where += ", ?";
    where += "))";
    values.insert(values.end(), filter.disks.begin(), filter.disks.end());
  }
  return ask([&]() -> Result<std::vector<Run>> {
    if (filter.unfinished_only) VMPATCH_CHECK(unfinished_runs());
    where += " ORDER BY sequence DESC";
    if (filter.limit > 0) where += fmt::format(" LIMIT {}", filter.limit);
    VMPATCH_TRY(const Rows rows, sealed_.load(kinds::run, {where, values}));
    return read_each(rows, read_run);
  });
}

Result<std::vector<Run>> SqliteStore::unfinished_runs() {
  VMPATCH_TRY(const Rows rows,
              sealed_.load_prefix(kinds::run, "open", "open/", {fmt::format("{} ORDER BY sequence DESC", unfinished)}));
  return read_each(rows, read_run);
}

}  // namespace vmpatch::ledger
