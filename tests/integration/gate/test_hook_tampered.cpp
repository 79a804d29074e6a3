// What somebody with root and the sqlite3 tool does to the records, against the real vm-patch-gate and what `audit verify` asks.

#include <sqlite3.h>
#include <sys/stat.h>

#include "integration/gate/hook_test.hpp"
#include "ledger/audit.hpp"
#include "support/key_twice.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/ledger/integrity.hpp"

namespace vmpatch::gate {
namespace {

enum class Seen { by_the_gate, by_verify_alone };

struct Attack {
  const char* name;
  const char* file;
  const char* sql;  ///< U = the machine
  const char* problem;
  const char* operation = "prepare";
  Seen seen = Seen::by_the_gate;
};
void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.name; }

constexpr const char* in_ledger = "ledger.sqlite";
constexpr const char* in_custody = "custody.sqlite";

/// A machine that starts, because its last run left what is on its disks: every table has rows.
class HookTamperedTest : public HookTest {
 protected:
  void SetUp() override {
    HookTest::SetUp();
    // The group that opens as much as a group can: no setting of it opens the gate to this.
    publish("    on_error: open\n");
    attest();
    fill_tables();
    attest();
    ASSERT_EQ(boot(), 0) << last_error_;
    ASSERT_EQ(shut_down(), 0);
    ASSERT_TRUE(keep_copies());
  }

  void fill_tables() {
    const auto ledger = store();
    ASSERT_TRUE(ledger->note_recipe("any", 3, "00"));
    add_run("apply", {}, ledger::RunState::attested);
    const auto done = add_run("apply", {}, ledger::RunState::attested);
    ASSERT_TRUE(ledger->keep_undo({.run_id = done, .machine_uuid = other_, .machine_name = "db01", .created = {}, .bytes = 1,
                                   .state = ledger::UndoState::kept, .used_by = {}, .detail = Json::object()}));
    add_run("apply", {"disk-of-db01"}, ledger::RunState::leased);
    add_override();
    const auto overrides = ledger->overrides(uuid_);
    ASSERT_TRUE(custody_store()->use_override(overrides->at(0).id, clock_.now()));
    ASSERT_TRUE(custody_store()->queue_rescan(other_, "changed", clock_.now()));
  }

  std::string add_run(const std::string& kind, const std::vector<std::string>& disks, ledger::RunState end) {
    using enum ledger::RunState;
    const auto ledger = store();
    ledger::Run run;
    run.id = random_uuid();
    run.kind = kind;
    run.machine_uuid = other_;
    run.machine_name = "db01";
    run.detail = Json::object();
    EXPECT_TRUE(ledger->create_run(run));
    EXPECT_TRUE(ledger->lease(run.id, *ledger::this_holder(), disks));
    if (end != attested) return run.id;
    auto from = leased;
    for (const auto to : {staged, patched, verified, committing, committed}) {
      EXPECT_TRUE(ledger->advance(run.id, from, to, {}, ""));
      from = to;
    }
    ledger::Attestation attestation;
    attestation.machine_uuid = other_;
    attestation.run_id = run.id;
    attestation.identities = Json::object();
    attestation.satisfied = Json::array();
    EXPECT_TRUE(ledger->attest(run.id, attestation));
    return run.id;
  }

  /// The triggers are there again afterwards, as somebody who knows of them would see to.
  void tamper(const char* file, std::string sql) {
    for (std::size_t at = sql.find("'U'"); at != std::string::npos; at = sql.find("'U'")) sql.replace(at + 1, 1, uuid_);
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((state_ / file).c_str(), &db), SQLITE_OK);
    std::string drop, make;
    sqlite3_stmt* triggers = nullptr;
    ASSERT_EQ(sqlite3_prepare_v2(db, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'", -1, &triggers, nullptr), SQLITE_OK);
    while (sqlite3_step(triggers) == SQLITE_ROW) {
      drop += fmt::format("DROP TRIGGER {};", reinterpret_cast<const char*>(sqlite3_column_text(triggers, 0)));
      make += fmt::format("{};", reinterpret_cast<const char*>(sqlite3_column_text(triggers, 1)));
    }
    sqlite3_finalize(triggers);
    EXPECT_EQ(sqlite3_exec(db, (drop + sql + ";" + make).c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }

  std::string problems() {
    std::string text;
    const auto all = ledger::examine_records(state_);
    EXPECT_TRUE(all) << (all ? "" : all.error().message);
    for (const ledger::Examined& one : *all) {
      for (const std::string& problem : one.problems) text += fmt::format("{}: {}\n", one.chain, problem);
    }
    return text;
  }

  /// A hook ends without closing; whoever closes last leaves everything in one file.
  bool keep_copies() {
    std::error_code error;
    store().reset();
    custody_store().reset();
    for (const char* file : {in_ledger, in_custody}) {
      fs::copy_file(state_ / file, base_ / file, fs::copy_options::overwrite_existing, error);
      if (error || fs::exists(state_ / (std::string(file) + "-wal"))) return false;
    }
    fs::copy_file(base_ / "state.anchor", base_ / "anchor", fs::copy_options::overwrite_existing, error);
    return !error;
  }
  void put_back(const char* file) {
    for (const char* suffix : {"-wal", "-shm"}) fs::remove(state_ / (std::string(file) + suffix));
    fs::copy_file(base_ / file, state_ / file, fs::copy_options::overwrite_existing);
  }

  std::string other_ = random_uuid();
};

class HookAttackTest : public HookTamperedTest, public ::testing::WithParamInterface<Attack> {};

TEST_P(HookAttackTest, is_denied_whatever_the_group_says_and_named_by_verify) {
  const Attack& attack = GetParam();
  ASSERT_EQ(problems(), "");
  ASSERT_EQ(gate(attack.operation), 0) << last_error_;
  tamper(attack.file, attack.sql);
  EXPECT_NE(problems().find(attack.problem), std::string::npos) << "wanted: " << attack.problem << "\ngot: " << problems();
  if (attack.seen == Seen::by_verify_alone) return;
  EXPECT_TRUE(denied(gate(attack.operation), "records-tampered"));
  EXPECT_TRUE(denied(gate(attack.operation), "records-tampered")) << "and again: nothing is laundered";
  EXPECT_NE(problems().find(attack.problem), std::string::npos) << problems();
}

constexpr const char* forge_attestation =
    "INSERT INTO attestations (machine_uuid, machine_name, run_id, time, identities, satisfied, envelope) SELECT machine_uuid, machine_name, "
    "run_id, time + 1, identities, '[{\"id\":\"any\",\"version\":9,\"digest\":\"00\"}]', envelope FROM attestations WHERE machine_uuid = 'U' LIMIT 1";
constexpr const char* swap_attestations =
    "UPDATE attestations SET sequence = 9999 WHERE sequence = (SELECT min(sequence) FROM attestations WHERE machine_uuid = 'U'); "
    "UPDATE attestations SET sequence = (SELECT min(sequence) - 1 FROM attestations) WHERE sequence = (SELECT max(sequence) FROM "
    "attestations WHERE machine_uuid = 'U' AND sequence < 9999)";

INSTANTIATE_TEST_SUITE_P(
    Ledger, HookAttackTest,
    ::testing::Values(
        Attack{"attestation_inserted", in_ledger, forge_attestation, "was put in by something else"},
        Attack{"attestation_changed", in_ledger, "UPDATE attestations SET satisfied = '[]' WHERE machine_uuid = 'U'", "was changed by something else"},
        Attack{"newest_attestation_deleted", in_ledger,
               "DELETE FROM attestations WHERE sequence = (SELECT max(sequence) FROM attestations WHERE machine_uuid = 'U')", "is missing"},
        Attack{"all_attestations_deleted", in_ledger, "DELETE FROM attestations WHERE machine_uuid = 'U'", "is missing"},
        Attack{"attestations_reordered", in_ledger, swap_attestations, "was put in by something else"},
        Attack{"override_inserted", in_ledger,
               "INSERT INTO overrides SELECT 'forged', machine_uuid, identities, reason, actor, created, expires FROM overrides",
               "was put in by something else"},
        Attack{"override_changed", in_ledger, "UPDATE overrides SET identities = '{}'", "was changed by something else"},
        Attack{"override_deleted", in_ledger, "DELETE FROM overrides", "is missing"},
        Attack{"policy_changed", in_ledger, "UPDATE policy SET policy = replace(policy, '\"attested\":true', '\"attested\":false')",
               "record policy was changed"},
        Attack{"policy_deleted", in_ledger, "DELETE FROM policy", "record policy is missing"},
        Attack{"unfinished_run_ended", in_ledger, "UPDATE runs SET state = 'failed' WHERE state = 'leased'", "is missing"},
        Attack{"unfinished_run_deleted", in_ledger,
               "DELETE FROM run_disks; DELETE FROM undo; DELETE FROM runs WHERE state = 'leased'", "is missing"},
        Attack{"unfinished_run_let_go_of_its_disk", in_ledger, "DELETE FROM run_disks", "was changed by something else"},
        Attack{"disk_not_held_any_more", in_ledger, "UPDATE run_disks SET held = 0", "was changed by something else"},
        Attack{"run_begun_again", in_ledger, "UPDATE runs SET state = 'planned' WHERE state = 'attested'", "was put in by something else"},
        Attack{"ended_run_changed", in_ledger, "UPDATE runs SET detail = '{\"disks\":[]}' WHERE state = 'attested'", "was changed by something else",
               "prepare", Seen::by_verify_alone},
        Attack{"recipe_version_lowered", in_ledger, "UPDATE recipes SET version = 1", "record recipe/any was changed", "prepare",
               Seen::by_verify_alone},
        Attack{"recipe_forgotten", in_ledger, "DELETE FROM recipes", "record recipe/any is missing", "prepare", Seen::by_verify_alone},
        Attack{"undo_changed", in_ledger, "UPDATE undo SET state = 'expired'", "was changed by something else", "prepare", Seen::by_verify_alone},
        Attack{"audit_row_in_the_middle_changed", in_ledger, "UPDATE audit SET actor = 'nobody' WHERE sequence = 3", "audit row 3 was changed",
               "prepare", Seen::by_verify_alone},
        Attack{"audit_row_in_the_middle_deleted", in_ledger, "DELETE FROM audit WHERE sequence = 3", "audit row 3 is missing", "prepare",
               Seen::by_verify_alone},
        Attack{"newest_audit_row_changed", in_ledger, "UPDATE audit SET actor = 'nobody' WHERE sequence = (SELECT max(sequence) FROM audit)",
               "was changed"},
        Attack{"newest_audit_row_deleted", in_ledger, "DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)",
               "it is older than its anchor"},
        Attack{"all_audit_rows_deleted", in_ledger, "DELETE FROM audit; DELETE FROM sqlite_sequence WHERE name = 'audit'",
               "it is older than its anchor"},
        Attack{"seal_of_a_changed_record_recomputed_to_anything", in_ledger,
               "UPDATE policy SET origin = '{}'; UPDATE seals SET digest = zeroblob(32) WHERE key = 'policy'", "the seals of its records were changed"},
        Attack{"node_of_the_seals_changed", in_ledger, "UPDATE seal_nodes SET children = zeroblob(2048)", "the seals of its records were changed"},
        Attack{"seals_deleted", in_ledger, "DELETE FROM seals", "the seals of its records were changed"},
        Attack{"trigger_added", in_ledger, "CREATE TRIGGER swallow BEFORE INSERT ON runs BEGIN SELECT RAISE(IGNORE); END",
               "trigger swallow was added to the schema"},
        Attack{"view_added", in_ledger, "CREATE VIEW v AS SELECT * FROM overrides", "view v was added to the schema"},
        Attack{"table_replaced_by_a_view", in_ledger,
               "ALTER TABLE recipes RENAME TO old; CREATE VIEW recipes AS SELECT id, version, digest FROM old", "view recipes was added to the schema"},
        Attack{"version_lowered", in_ledger, "PRAGMA user_version = 2", "schema version 2"},
        Attack{"version_raised", in_ledger, "PRAGMA user_version = 99", "schema version 99"},
        Attack{"index_dropped", in_ledger, "DROP INDEX runs_lease", "index runs_lease is missing in the schema"},
        Attack{"column_added", in_ledger, "ALTER TABLE overrides ADD COLUMN x TEXT", "table overrides was replaced in the schema"}),
    [](const auto& attack) { return attack.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Custody, HookAttackTest,
    ::testing::Values(
        Attack{"custody_changed", in_custody, "UPDATE custody SET identities = '{}', unbroken = 1", "was changed by something else"},
        Attack{"custody_deleted", in_custody, "DELETE FROM custody", "is missing"},
        Attack{"saved_identities_changed", in_custody, "UPDATE saved SET identities = '{}'", "was changed by something else", "restore"},
        Attack{"saved_identities_deleted", in_custody, "DELETE FROM saved", "is missing", "restore"},
        Attack{"restore_put_in", in_custody,
               "INSERT INTO restores SELECT machine_uuid, boot_id, opened, identities, '', 1, '' FROM custody", "was put in by something else"},
        Attack{"used_override_given_back", in_custody, "DELETE FROM used_overrides", "is missing"},
        Attack{"used_override_inserted", in_custody, "INSERT INTO used_overrides VALUES ('forged', 1)", "was put in by something else"},
        Attack{"rescan_forgotten", in_custody, "DELETE FROM rescans", "is missing", "prepare", Seen::by_verify_alone},
        Attack{"newest_decisions_deleted", in_custody, "DELETE FROM audit WHERE sequence > 2", "it is older than its anchor"},
        Attack{"trigger_in_custody", in_custody, "CREATE TRIGGER keep BEFORE UPDATE ON custody BEGIN SELECT RAISE(IGNORE); END",
               "trigger keep was added to the schema"},
        Attack{"custody_version_lowered", in_custody, "PRAGMA user_version = 1", "schema version 1"},
        Attack{"custody_version_raised", in_custody, "PRAGMA user_version = 99", "schema version 99"}),
    [](const auto& attack) { return attack.param.name; });

TEST_F(HookTamperedTest, insert_of_a_custody_for_a_machine_without_one_is_seen) {
  const std::string uuid = std::exchange(uuid_, random_uuid());
  EXPECT_TRUE(denied(gate("prepare"), "not-attested"));
  tamper(in_custody, "INSERT INTO custody SELECT 'U', boot_id, opened, started, closed, identities, operation, unbroken, lost, live, attested FROM custody "
                     "WHERE machine_uuid = '" + uuid + "'");
  EXPECT_TRUE(denied(gate("prepare"), "records-tampered"));
  EXPECT_NE(problems().find("was put in by something else"), std::string::npos) << problems();
}

/// A genuine override of other disks, and behind its seal a second row of its id for the disks as they are.
TEST_F(HookTamperedTest, override_of_an_id_that_is_there_already_opens_nothing) {
  add_override();
  write_disk();
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
  tamper(in_ledger, with_other_key("overrides", "id TEXT NOT NULL PRIMARY KEY", "id TEXT NOT NULL",
                                   "INSERT INTO overrides (rowid, id, machine_uuid, identities, reason, actor, created, expires) SELECT "
                                   "-rowid, id, machine_uuid, '" + dump_json(identities()) + "', 'forged', actor, created, expires - 1 FROM overrides"));
  EXPECT_TRUE(denied(gate("prepare"), "records-tampered"));
  EXPECT_NE(problems().find("is there twice"), std::string::npos) << problems();
}

TEST_F(HookTamperedTest, older_copy_of_a_whole_database_is_seen) {
  for (const char* file : {in_ledger, in_custody}) {
    ASSERT_TRUE(keep_copies());
    attest();
    ASSERT_EQ(gate("prepare"), 0) << last_error_;
    ASSERT_EQ(shut_down(), 0);
    put_back(file);
    EXPECT_TRUE(denied(gate("prepare"), "records-tampered")) << file;
    EXPECT_NE(problems().find("it is older than its anchor"), std::string::npos) << problems();
    ASSERT_TRUE(ledger::accept_records(state_, {.reason = "test"}, clock_));
  }
}

TEST_F(HookTamperedTest, missing_database_that_the_anchor_knows_is_seen) {
  for (const char* file : {in_ledger, in_custody}) {
    fs::remove(state_ / file);
    EXPECT_TRUE(denied(gate("prepare"), "records-tampered")) << file;
    EXPECT_FALSE(fs::exists(state_ / file)) << "it is not made anew: that would hide it";
    EXPECT_NE(problems(), "");
    put_back(file);
    ASSERT_EQ(gate("prepare"), 0) << last_error_;
    ASSERT_EQ(shut_down(), 0);
    ASSERT_TRUE(keep_copies());
  }
}

/// Somebody who knows the format: a row changed, and every digest from there on computed again.
TEST_F(HookTamperedTest, chain_that_was_computed_anew_is_not_the_anchored_one) {
  const auto rows = *store()->audit_rows(1, 100'000);
  std::string sql;
  Digest previous;
  for (ledger::AuditRow row : rows) {
    if (row.sequence == 2) row.actor = "nobody";
    row.previous = previous;
    previous = ledger::audit_digest(row);
    sql += fmt::format("UPDATE audit SET actor = '{}', previous = '{}', digest = '{}' WHERE sequence = {};", row.actor, row.previous.hex(),
                       previous.hex(), row.sequence);
  }
  tamper(in_ledger, sql);
  EXPECT_TRUE(denied(gate("prepare"), "records-tampered"));
  EXPECT_EQ(problems(), fmt::format("ledger: audit row {} is not the one that the anchor {} knows: the chain was computed anew\n",
                                    rows.back().sequence, (base_ / "state.anchor").string()));
}

TEST_F(HookTamperedTest, anchor_that_is_gone_empty_or_open_to_others_is_seen) {
  const fs::path anchor = base_ / "state.anchor";
  fs::rename(anchor, base_ / "away");
  EXPECT_TRUE(denied(gate("prepare"), "records-tampered"));
  EXPECT_NE(problems().find("is missing"), std::string::npos) << problems();
  ASSERT_TRUE(write_file_atomic(anchor, "", 0600));
  EXPECT_TRUE(denied(gate("prepare"), "records-tampered"));
  EXPECT_NE(problems().find("says nothing about it"), std::string::npos) << problems();
  fs::remove(anchor);
  fs::create_symlink("state.anchor", anchor);
  EXPECT_TRUE(denied(gate("prepare"), "records-tampered"));
  fs::remove(anchor);
  fs::rename(base_ / "away", anchor);
  ASSERT_EQ(::chmod(anchor.c_str(), 0666), 0);
  EXPECT_TRUE(denied(gate("prepare"), "records-tampered"));
  ASSERT_EQ(::chmod(anchor.c_str(), 0600), 0);
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
}

/// A process that was killed between its commit and its anchor.
TEST_F(HookTamperedTest, anchor_that_is_older_than_its_database_says_nothing_wrong) {
  attest();
  ASSERT_EQ(boot(), 0) << last_error_;
  fs::copy_file(base_ / "anchor", base_ / "state.anchor", fs::copy_options::overwrite_existing);
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(shut_down(), 0);
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
  EXPECT_EQ(problems(), "");
}

TEST_F(HookTamperedTest, line_that_was_torn_at_the_end_of_the_anchor_is_passed_over) {
  const fs::path anchor = base_ / "state.anchor";
  const std::string whole = *read_file(anchor);
  for (const std::size_t cut : {std::size_t{1}, std::size_t{20}, std::size_t{100}}) {
    ASSERT_TRUE(write_file_atomic(anchor, whole.substr(0, whole.size() - cut), 0600));
    EXPECT_EQ(gate("prepare"), 0) << cut << last_error_;
    EXPECT_EQ(problems(), "") << cut;
  }
  ASSERT_TRUE(write_file_atomic(anchor, whole + std::string(3000, '\0'), 0600));
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
  EXPECT_EQ(problems(), "");
}

TEST_F(HookTamperedTest, database_that_is_none_any_more_is_denied_and_can_be_moved_away) {
  ASSERT_TRUE(write_file_atomic(state_ / in_custody, std::string(4096, 'x'), 0600));
  EXPECT_TRUE(denied(gate("prepare"), "records-tampered"));
  EXPECT_EQ(ledger::accept_records(state_, {.reason = "disk failed"}, clock_).error().code, Errc::refused);
  fs::rename(state_ / in_custody, base_ / "away");
  EXPECT_TRUE(denied(gate("prepare"), "records-tampered"));
  EXPECT_EQ(ledger::accept_records(state_, {.reason = "disk failed"}, clock_).error().code, Errc::refused);
  const auto accepted = ledger::accept_records(state_, {.reason = "disk failed", .forget = {"gate"}}, clock_);
  ASSERT_TRUE(accepted) << accepted.error().message;
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
}

/// The gate's records tell which overrides were used, and which runs may still be writing.
TEST_F(HookTamperedTest, what_was_closed_is_not_opened_by_an_acceptance) {
  write_disk();
  add_override();
  ASSERT_EQ(gate("prepare"), 0) << last_error_;
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
  fs::remove(state_ / in_custody);
  ASSERT_TRUE(ledger::accept_records(state_, {.reason = "lost", .forget = {"gate"}}, clock_));
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change")) << "it was used, and nobody remembers";
  tamper(in_ledger, "DELETE FROM policy");
  ASSERT_TRUE(ledger::accept_records(state_, {.reason = "known"}, clock_));
  EXPECT_EQ(problems(), "");
  EXPECT_TRUE(denied(gate("prepare"), "records-tampered")) << "there was a policy";
  EXPECT_NE(last_error_.find("run 'vm-patch gate publish'"), std::string::npos) << last_error_;
  publish();
  EXPECT_TRUE(denied(gate("prepare"), "unattested-change"));
}

TEST_F(HookTamperedTest, group_that_only_warns_is_no_way_around) {
  publish("    on_error: open\n    action: warn\n");
  ASSERT_EQ(gate("prepare"), 0) << last_error_;
  tamper(in_ledger, "DELETE FROM overrides");
  EXPECT_TRUE(denied(gate("prepare"), "records-tampered"));
}

TEST_F(HookTamperedTest, run_that_writes_the_disks_cannot_be_ended_by_hand) {
  using enum ledger::RunState;
  {
    const auto ledger = store();
    ledger::Run run;
    run.id = random_uuid();
    run.kind = "apply";
    run.machine_uuid = uuid_;
    run.machine_name = "web01";
    run.detail = Json::object();
    ASSERT_TRUE(ledger->create_run(run));
    ASSERT_TRUE(ledger->lease(run.id, *ledger::this_holder(), {}));
    auto from = leased;
    for (const auto to : {staged, patched, verified, committing}) {
      ASSERT_TRUE(ledger->advance(run.id, from, to, {}, ""));
      from = to;
    }
  }
  EXPECT_TRUE(denied(gate("prepare"), "run-unfinished"));
  tamper(in_ledger, "UPDATE runs SET state = 'discarded' WHERE state = 'committing'");
  EXPECT_TRUE(denied(gate("prepare"), "records-tampered"));
}

TEST_F(HookTamperedTest, what_an_operator_accepts_is_believed_again_and_told) {
  tamper(in_ledger, "DELETE FROM overrides; CREATE VIEW v AS SELECT 1; DROP INDEX runs_lease");
  tamper(in_custody, "DELETE FROM rescans; DELETE FROM audit WHERE sequence = 2");
  EXPECT_TRUE(denied(gate("prepare"), "records-tampered"));
  const auto accepted = ledger::accept_records(state_, {.reason = "restored"}, clock_);
  ASSERT_TRUE(accepted) << accepted.error().message;
  EXPECT_EQ(problems(), "");
  EXPECT_EQ(gate("prepare"), 0) << last_error_;
  const auto after = ledger::examine_records(state_);
  ASSERT_EQ(after->size(), 2U);
  for (const ledger::Examined& one : *after) {
    ASSERT_EQ(one.accepted.size(), 1U) << one.chain;
    EXPECT_EQ(one.accepted.at(0).data.at("reason"), "restored");
    EXPECT_FALSE(one.accepted.at(0).data.at("problems").empty());
  }
}

}  // namespace
}  // namespace vmpatch::gate
