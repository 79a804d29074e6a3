#include "vmpatch/ledger/integrity.hpp"

#include <algorithm>
#include <array>

#include "ledger/sqlite/audit_chain.hpp"
#include "ledger/sqlite/examine.hpp"
#include "ledger/sqlite/leftover_runs.hpp"
#include "ledger/sqlite/rows.hpp"
#include "ledger/sqlite/schema_difference.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {
namespace {

/// What an audit row tells of the problems; the rest is a number.
constexpr std::size_t most_told = 100;

struct Place {
  const char* name;
  const RecordSchema& (*schema)();
};
constexpr std::array<Place, 2> places{{{"ledger.sqlite", ledger_schema}, {"custody.sqlite", custody_schema}}};

bool is_known(const fs::path& state_dir, const Place& place) {
  std::error_code error;
  // What cannot be looked at is there: opening it says why.
  if (fs::exists(state_dir / place.name, error) || error) return true;
  const auto heads = Anchor(state_dir).read();
  const Head* head = heads ? find_head(*heads, place.schema().chain) : nullptr;
  return head != nullptr && head->sequence > 0;
}

/// What was accepted without a policy keeps everything from starting, and says so where somebody looks.
Result<void> look_for_policy(Database& database, Examined& examined) {
  VMPATCH_TRY(Statement select, database.prepare("SELECT 1 FROM policy WHERE policy = ?"));
  VMPATCH_TRY(const bool lost, select.bind(lost_policy).step());
  if (lost) examined.warnings.emplace_back("it had no policy when its records were accepted, and every start is denied; run 'vm-patch gate publish'");
  return {};
}

/// A ledger of an earlier vm-patch, in the place of a newer one, is not lost: it can be brought up to date and accepted.
bool is_lost(const fs::path& file, const Place& place) {
  auto database = Database::open(file, {.mode = Database::Mode::read_only});
  if (!database) return true;
  const auto made_by = made_by_version(*database, place.schema().migrations());
  return !made_by || *made_by == 0;
}

Result<Examined> examine_one(const fs::path& state_dir, const Place& place) {
  const fs::path file = state_dir / place.name;
  auto sealed = SealedDatabase::open_unchecked(file, place.schema(), {.mode = Database::Mode::read_only});
  if (!sealed) {
    return Examined{.chain = std::string(place.schema().chain), .file = file, .rows = 0, .newest = {}, .anchored = {}, .accepted = {},
                    .problems = {sealed.error().message}, .broken = {}, .sealed = false, .warnings = {}, .lost = is_lost(file, place)};
  }
  VMPATCH_TRY(Examined examined, examine(*sealed));
  if (examined.problems.empty() && examined.chain == ledger_schema().chain) VMPATCH_CHECK(look_for_policy(sealed->database(), examined));
  return examined;
}

Json told(const std::vector<std::string>& problems) {
  Json list = Json::array();
  for (const std::string& problem : problems) {
    if (list.size() == most_told) break;
    list.push_back(problem);
  }
  return list;
}

/// Of one database that is as its chain says.
Result<void> move_on(const Anchor& anchor, SealedDatabase& sealed, std::vector<std::string>& said) {
  VMPATCH_TRY(const Head head, sealed.head());
  VMPATCH_TRY(const auto anchored, anchor.read());
  const Head* known = find_head(anchored, head.chain);
  const std::int64_t behind = known == nullptr ? 0 : head.sequence - known->sequence;
  if (behind <= 0) return {};
  const auto moved = anchor.append(head);
  said.push_back(moved ? fmt::format("the anchor {} was {} row(s) behind {}, and is moved on", anchor.file().string(), behind, sealed.database().file())
                       : fmt::format("the anchor {} is {} row(s) behind {} and cannot be moved on ({}): an older copy of up to then would not be "
                                     "found out", anchor.file().string(), behind, sealed.database().file(), moved.error().message));
  return {};
}

/// A database and what is to become of it.
struct Task {
  const Place& place;
  const Examined& before;
  bool forget = false;
  [[nodiscard]] bool is_ledger() const { return place.schema().chain == ledger_schema().chain; }
};

Result<std::vector<Task>> make_tasks(const std::vector<Examined>& all, const std::vector<std::string>& forget) {
  std::vector<Task> tasks;
  for (const Examined& one : all) {
    const auto* const place = std::ranges::find_if(places, [&](const Place& p) { return p.schema().chain == one.chain; });
    const bool named = std::ranges::find(forget, one.chain) != forget.end();
    if (named && one.problems.empty()) return fail(Errc::refused, "{} holds; nothing of it has to be forgotten", one.file.string());
    if (one.lost && !named) return fail(Errc::refused, "{}; nothing of it can be believed", one.problems.front());
    tasks.push_back({*place, one, named});
  }
  for (const std::string& name : forget) {
    if (std::ranges::find(all, name, &Examined::chain) == all.end()) return fail(Errc::refused, "there are no records \"{}\" to forget", name);
  }
  return tasks;
}

/// Nothing of a run that was writing may be forgotten by the way.
Result<void> check_runs(const fs::path& state_dir, const Task& task) {
  if (!task.is_ledger() || task.before.problems.empty()) return {};
  if (task.forget) return check_leftover_runs(state_dir, nullptr);
  VMPATCH_TRY(Database ledger, Database::open(state_dir / task.place.name, {.mode = Database::Mode::read_only}));
  return check_leftover_runs(state_dir, &ledger);
}

/// With its log: that of one database must never be read into another.
Result<void> set_aside(const fs::path& file) {
  std::error_code error;
  fs::path target;
  for (int number = 1;; ++number) {
    target = fmt::format("{}.forgotten-{}", file.string(), number);
    if (!fs::exists(fs::symlink_status(target, error))) break;
  }
  for (const char* suffix : {"-wal", "-shm", ""}) {
    fs::rename(file.string() + suffix, target.string() + suffix, error);
    if (error && error != std::errc::no_such_file_or_directory) {
      return fail(Errc::failed, "cannot rename {}{} to {}: {}", file.string(), suffix, target.string(), error.message());
    }
  }
  return fsync_dir(file.parent_path());
}

/// What tells of the use of an override may be gone with what was accepted.
constexpr const char* void_overrides = "DELETE FROM overrides";

/// What nobody of ours has written must not open anything by being accepted: the attestations of such a machine, and such a policy, are gone.
Result<void> void_broken(Database& database, const Examined& before, Time now) {
  const auto lose_policy = [&]() -> Result<void> {
    VMPATCH_TRY(Statement update, database.prepare("UPDATE policy SET policy = ?, origin = '{}', time = ?"));
    return update.bind(lost_policy, now).run();
  };
  if (!before.sealed) {
    VMPATCH_CHECK(database.execute("DELETE FROM attestations"));
    return lose_policy();
  }
  constexpr std::string_view of_attestation = "attestation/";
  for (const std::string& key : before.broken) {
    if (key == "policy") VMPATCH_CHECK(lose_policy());
    if (!key.starts_with(of_attestation)) continue;
    const auto machine = key.substr(of_attestation.size(), key.rfind('/') - of_attestation.size());
    VMPATCH_TRY(Statement remove, database.prepare("DELETE FROM attestations WHERE machine_uuid = ?"));
    VMPATCH_CHECK(remove.bind(machine).run());
  }
  return {};
}

Result<Head> accept_one(const fs::path& file, const Task& task, const Acceptance& acceptance, Time now) {
  if (task.forget) VMPATCH_CHECK(set_aside(file));
  VMPATCH_TRY(SealedDatabase sealed, SealedDatabase::open_unchecked(file, task.place.schema(), {}));
  const auto& problems = task.before.problems;
  const Json data{{"reason", acceptance.reason}, {"problems", told(problems)}, {"problem_count", problems.size()}, {"forgotten", task.forget}};
  return sealed.accept(now, data, [&]() -> Result<void> {
    if (!task.is_ledger()) return {};
    VMPATCH_CHECK(sealed.database().execute(void_overrides));
    if (!task.forget) VMPATCH_CHECK(void_broken(sealed.database(), task.before, now));
    VMPATCH_TRY(Statement insert, sealed.database().prepare("INSERT OR IGNORE INTO policy (id, policy, origin, time) VALUES (1, ?, '{}', ?)"));
    return insert.bind(lost_policy, now).run();
  });
}

/// Of a ledger that holds, beside records of the gate that are accepted.
Result<Head> void_overrides_of(const fs::path& file, Time now) {
  VMPATCH_TRY(SealedDatabase sealed, SealedDatabase::open(file, ledger_schema(), {}));
  VMPATCH_CHECK(sealed.write([&]() -> Result<void> {
    VMPATCH_TRY(const Rows rows, sealed.load(kinds::override_entry, {"1"}));
    if (rows.empty()) return {};
    VMPATCH_CHECK(sealed.change(kinds::override_entry, {"1"}, [&] { return sealed.database().execute(void_overrides); }));
    return sealed.note(now, "overrides.voided", "ledger", {{"count", rows.size()}});
  }));
  VMPATCH_TRY(const auto last, last_audit_row(sealed.database()));
  Head head = last.value_or(Head{});
  head.chain = ledger_schema().chain;
  return head;
}

Result<Head> carry_out(const fs::path& state_dir, const Task& task, const Acceptance& acceptance, Time now) {
  const fs::path file = state_dir / task.place.name;
  if (!task.before.problems.empty()) return accept_one(file, task, acceptance, now);
  return task.is_ledger() ? void_overrides_of(file, now) : task.before.newest;
}

/// Before anything is changed: what is accepted is believed only when the anchor says so as well.
Result<void> check_replaceable(const Anchor& anchor) {
  const auto heads = anchor.read_all();
  return anchor.replace(heads ? *heads : std::vector<Head>());
}

}  // namespace

bool has_records(const fs::path& state_dir) {
  return std::ranges::any_of(places, [&](const Place& place) { return is_known(state_dir, place); });
}

Result<std::vector<Examined>> examine_records(const fs::path& state_dir) {
  std::vector<Examined> all;
  for (const Place& place : places) {
    if (!is_known(state_dir, place)) continue;
    VMPATCH_TRY(Examined examined, examine_one(state_dir, place));
    all.push_back(std::move(examined));
  }
  return all;
}

std::vector<std::string> tend_anchor(const fs::path& state_dir) {
  const Anchor anchor(state_dir);
  std::vector<std::string> said;
  bool any = false;
  for (const Place& place : places) {
    auto sealed = SealedDatabase::open(state_dir / place.name, place.schema(), {.mode = Database::Mode::read_only});
    any = any || sealed;
    // What is wrong with the records is not the anchor's.
    if (sealed) static_cast<void>(move_on(anchor, *sealed, said).has_value());
  }
  if (any) std::ranges::copy(anchor.complaints(), std::back_inserter(said));
  return said;
}

Result<std::vector<Examined>> accept_records(const fs::path& state_dir, const Acceptance& acceptance, const Clock& clock) {
  VMPATCH_TRY(auto before, examine_records(state_dir));
  VMPATCH_TRY(const auto tasks, make_tasks(before, acceptance.forget));
  if (std::ranges::all_of(before, [](const Examined& one) { return one.problems.empty(); })) return before;
  for (const Task& task : tasks) VMPATCH_CHECK(check_runs(state_dir, task));
  VMPATCH_CHECK(check_replaceable(Anchor(state_dir)));
  std::vector<Head> heads;
  for (const Task& task : tasks) {
    VMPATCH_TRY(heads.emplace_back(), carry_out(state_dir, task, acceptance, clock.now()));
  }
  VMPATCH_CHECK(Anchor(state_dir).replace(heads));
  return before;
}

}  // namespace vmpatch::ledger
