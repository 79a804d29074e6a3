// What the Store and the custody answer when something else wrote into their files. The real gate: gate_hook.

#include "contract/ledger/fixture.hpp"
#include "support/key_twice.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/ledger/integrity.hpp"

namespace vmpatch::ledger {
namespace {

class TamperedTest : public LedgerTest {
 protected:
  void SetUp() override {
    LedgerTest::SetUp();
    ended_ = run_in(RunState::attested, "machine-1", {"disk"}).id;
    Undo undo;
    undo.run_id = ended_;
    undo.machine_uuid = "machine-1";
    ASSERT_TRUE(store_->keep_undo(undo));
    open_ = run_in(RunState::committing, "machine-2", {"other"}).id;
    ASSERT_TRUE(store_->note_recipe("r", 3, "three"));
    ASSERT_TRUE(store_->publish_policy({{"groups", Json::array()}}, {}));
    ASSERT_TRUE(store_->add_override({.id = "o", .machine_uuid = "machine-1", .identities = Json::object(), .reason = "r", .actor = "",
                                      .created = clock_.now(), .expires = clock_.now() + Seconds(60), .used = {}}));
    ASSERT_EQ(problems(), "");
  }
  std::string problems() {
    std::string text;
    const auto all = examine_records(folder_);
    EXPECT_TRUE(all) << (all ? "" : all.error().message);
    for (const Examined& one : *all) {
      for (const std::string& problem : one.problems) text += problem + "\n";
    }
    return text;
  }
  template <class T>
  static ::testing::AssertionResult untrusted(const Result<T>& result) {
    if (!result && result.error().code == Errc::untrusted) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << (result ? "it was believed" : result.error().message);
  }
  template <class T>
  static ::testing::AssertionResult believed(const Result<T>& result) {
    if (result) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << result.error().message;
  }
  std::string ended_, open_;
};

TEST_F(TamperedTest, recipe_version_that_was_lowered_or_forgotten_is_not_believed) {
  tamper("UPDATE recipes SET version = 1");
  EXPECT_TRUE(untrusted(store_->seen_recipe("r")));
  EXPECT_TRUE(untrusted(store_->note_recipe("r", 4, "four"))) << "writing over it would hide it";
  EXPECT_TRUE(believed(store_->seen_recipe("other")));
  tamper("DELETE FROM recipes");
  EXPECT_TRUE(untrusted(store_->seen_recipe("r")));
  EXPECT_TRUE(untrusted(store_->note_recipe("r", 4, "four")));
}

TEST_F(TamperedTest, attestations_are_believed_as_they_were_written) {
  const char* newest = "WHERE sequence = (SELECT max(sequence) FROM attestations WHERE machine_uuid = 'machine-1')";
  ASSERT_TRUE(store_->attest_checked(make_attestation("machine-1", "", "two")));
  EXPECT_TRUE(believed(store_->attestation("machine-1")));
  tamper(std::string("DELETE FROM attestations ") + newest);
  EXPECT_TRUE(untrusted(store_->attestation("machine-1")));
  EXPECT_TRUE(untrusted(store_->attestations()));
  EXPECT_TRUE(untrusted(store_->attest_checked(make_attestation("machine-1", "", "three"))));
  tamper(std::string("UPDATE attestations SET envelope = 'x' ") + newest);
  EXPECT_TRUE(untrusted(store_->attestation("machine-1")));
  EXPECT_TRUE(believed(store_->attestation("machine-2")));
}

TEST_F(TamperedTest, run_that_was_moved_by_hand_is_not_moved_on) {
  tamper("UPDATE runs SET state = 'verified' WHERE state = 'committing'");
  EXPECT_TRUE(untrusted(store_->advance(open_, RunState::verified, RunState::failed, {}, "")));
  EXPECT_TRUE(untrusted(store_->adopt(open_, *this_holder())));
  EXPECT_TRUE(untrusted(store_->runs({.run_id = open_})));
  EXPECT_TRUE(untrusted(store_->runs({.unfinished_only = true})));
  EXPECT_TRUE(untrusted(store_->lease(added("machine-3").id, *this_holder(), {})));
  EXPECT_TRUE(believed(store_->runs({.run_id = ended_})));
}

TEST_F(TamperedTest, unfinished_run_that_is_gone_is_missed_and_its_disks_stay_held) {
  tamper("DELETE FROM run_disks WHERE disk_key = 'other'; DELETE FROM runs WHERE state = 'committing'");
  EXPECT_TRUE(untrusted(store_->runs({.unfinished_only = true})));
  EXPECT_TRUE(untrusted(store_->runs({.run_id = open_, .unfinished_only = true})));
  EXPECT_TRUE(untrusted(store_->adopt(open_, *this_holder())));
  EXPECT_TRUE(untrusted(store_->lease(added("machine-3").id, *this_holder(), {"other"})));
  EXPECT_TRUE(untrusted(read_gate_facts(file(), "machine-3", {}, clock_.now())));
}

TEST_F(TamperedTest, disk_that_was_taken_from_a_run_is_missed) {
  tamper("DELETE FROM run_disks WHERE disk_key = 'other'");
  EXPECT_TRUE(untrusted(store_->lease(added("machine-3").id, *this_holder(), {"other"})));
  EXPECT_TRUE(untrusted(read_gate_facts(file(), "machine-3", {"other"}, clock_.now())));
}

TEST_F(TamperedTest, detail_of_an_ended_run_is_believed_as_it_was_written) {
  tamper("UPDATE runs SET detail = '{\"disks\":[{\"path\":\"/etc/shadow\"}]}' WHERE state = 'attested'");
  EXPECT_TRUE(untrusted(store_->runs({.run_id = ended_})));
  EXPECT_TRUE(untrusted(store_->runs({})));
  EXPECT_TRUE(untrusted(store_->runs({.disks = {"disk"}})));
}

TEST_F(TamperedTest, undo_is_believed_as_it_was_written) {
  const LedgerRun user = added("machine-1");
  tamper("UPDATE undo SET detail = '{\"vda\":\"/tmp/evil\"}'");
  EXPECT_TRUE(untrusted(store_->undos({})));
  EXPECT_TRUE(untrusted(store_->use_undo(ended_, user.id)));
  EXPECT_TRUE(untrusted(store_->expire_undo(ended_)));
  tamper("DELETE FROM undo");
  EXPECT_TRUE(untrusted(store_->use_undo(ended_, user.id)));
  Undo undo;
  undo.run_id = ended_;
  undo.machine_uuid = "machine-1";
  EXPECT_TRUE(untrusted(store_->keep_undo(undo)));
}

TEST_F(TamperedTest, policy_and_overrides_are_believed_as_they_were_written) {
  tamper("UPDATE policy SET policy = '{}'");
  EXPECT_TRUE(untrusted(store_->published_policy()));
  EXPECT_TRUE(untrusted(store_->publish_policy({}, {})));
  tamper("UPDATE overrides SET expires = expires + 1");
  EXPECT_TRUE(untrusted(store_->overrides("machine-1")));
  EXPECT_TRUE(believed(store_->overrides("machine-2")));
  tamper("DELETE FROM overrides");
  EXPECT_TRUE(untrusted(store_->overrides("machine-1")));
}

TEST_F(TamperedTest, honest_writes_elsewhere_do_not_launder_it) {
  tamper("DELETE FROM overrides; UPDATE recipes SET version = 1");
  const std::string before = problems();
  EXPECT_NE(before, "");
  run_in(RunState::attested, "machine-4");
  ASSERT_TRUE(store_->add_override({.id = "p", .machine_uuid = "machine-1", .identities = Json::object(), .reason = "r", .actor = "",
                                    .created = clock_.now(), .expires = clock_.now() + Seconds(60), .used = {}}));
  EXPECT_EQ(problems(), before);
  EXPECT_TRUE(untrusted(store_->verify_audit()));
}

TEST_F(TamperedTest, whoever_has_the_ledger_open_already_sees_it_too) {
  EXPECT_TRUE(believed(store_->runs({})));
  tamper("CREATE TRIGGER t AFTER INSERT ON policy BEGIN SELECT 1; END");
  EXPECT_TRUE(untrusted(store_->runs({})));
  EXPECT_TRUE(untrusted(store_->audit("x", "y", {})));
  EXPECT_EQ(store_->audit_rows(1, 1)->size(), 1U) << "what happened can still be looked at";
}

TEST_F(TamperedTest, anchor_that_goes_away_while_the_ledger_is_open_stops_it) {
  std::filesystem::remove(base_ / "state.anchor");
  EXPECT_TRUE(untrusted(store_->runs({})));
  EXPECT_TRUE(untrusted(store_->audit("x", "y", {})));
  store_.reset();
  const auto opened = open_store(file(), clock_);
  ASSERT_TRUE(opened) << "it opens, to be looked at";
  EXPECT_TRUE(untrusted((*opened)->audit("x", "y", {})));
  EXPECT_FALSE(std::filesystem::exists(base_ / "state.anchor"));
}

TEST_F(TamperedTest, custody_is_believed_as_it_was_written) {
  auto custody = *CustodyStore::open(folder_ / "custody.sqlite");
  const Custody record{.machine_uuid = "m", .boot_id = "b", .opened = clock_.now(), .started = true, .closed = {},
                       .identities = Json::object(), .live = {}, .operation = "prepare", .unbroken = false, .lost = false};
  ASSERT_TRUE(custody->put(record));
  ASSERT_TRUE(custody->put_saved("m", {.identities = {{"vda", 1}}, .time = clock_.now(), .memory = true}));
  ASSERT_TRUE(custody->put_restore({.custody = record, .override_id = "o"}));
  ASSERT_TRUE(custody->use_override("o", clock_.now()));
  ASSERT_TRUE(custody->queue_rescan("m", "r", clock_.now()));
  EXPECT_TRUE(believed(custody->verify()));
  tamper("UPDATE custody SET unbroken = 1", "custody.sqlite");
  EXPECT_TRUE(untrusted(custody->last("m")));
  EXPECT_TRUE(untrusted(custody->put(record))) << "writing over it would hide it";
  tamper("UPDATE saved SET memory = 0", "custody.sqlite");
  EXPECT_TRUE(untrusted(custody->saved("m")));
  tamper("DELETE FROM saved", "custody.sqlite");
  EXPECT_TRUE(untrusted(custody->saved("m")));
  EXPECT_TRUE(untrusted(custody->all_saved()));
  tamper("UPDATE restores SET unbroken = 1", "custody.sqlite");
  EXPECT_TRUE(untrusted(custody->restore("m")));
  tamper("DELETE FROM used_overrides", "custody.sqlite");
  EXPECT_TRUE(untrusted(custody->used_overrides()));
  EXPECT_TRUE(untrusted(custody->use_override("o", clock_.now()))) << "it was used, whatever the table says";
  tamper("DELETE FROM rescans", "custody.sqlite");
  EXPECT_TRUE(untrusted(custody->rescans()));
  EXPECT_TRUE(untrusted(custody->verify()));
}

TEST_F(TamperedTest, acceptance_names_every_problem_and_nothing_holds_it_up_afterwards) {
  tamper("DELETE FROM overrides; UPDATE recipes SET version = 1; UPDATE audit SET actor = 'x' WHERE sequence = 4; CREATE VIEW v AS SELECT 1;"
         "DELETE FROM audit WHERE sequence > (SELECT max(sequence) - 2 FROM audit)");
  store_.reset();
  const auto accepted = accept_records(folder_, {.reason = "known"}, clock_);
  ASSERT_TRUE(accepted) << accepted.error().message;
  EXPECT_EQ(problems(), "");
  store_ = open();
  EXPECT_EQ(store_->seen_recipe("r")->version, 1U);
  const AuditRow row = store_->audit_rows(1, 1000)->back();
  EXPECT_EQ(row.action, "records.accepted");
  EXPECT_EQ(row.data.at("reason"), "known");
  EXPECT_EQ(row.data.at("problem_count"), accepted->at(0).problems.size());
  EXPECT_GE(accepted->at(0).problems.size(), 5U);
  run_in(RunState::attested, "machine-5");
  EXPECT_TRUE(believed(store_->verify_audit()));
  tamper("UPDATE audit SET actor = 'x' WHERE action = 'records.accepted'");
  EXPECT_NE(problems(), "");
}

TEST_F(TamperedTest, what_somebody_else_wrote_is_void_when_it_is_accepted_and_the_rest_stays) {
  ASSERT_TRUE(store_->attest_checked(make_attestation("machine-1", "", "one")));
  ASSERT_TRUE(store_->attest_checked(make_attestation("machine-3", "", "three")));
  tamper("INSERT INTO attestations (machine_uuid, machine_name, run_id, time, identities, satisfied, envelope) SELECT machine_uuid, machine_name, "
         "run_id, time + 1, identities, satisfied, 'forged' FROM attestations WHERE machine_uuid = 'machine-1';"
         "UPDATE policy SET policy = '{\"groups\":[]}', time = 1");
  store_.reset();
  ASSERT_TRUE(accept_records(folder_, {.reason = "known"}, clock_));
  store_ = open();
  EXPECT_FALSE(store_->attestation("machine-1").value().has_value());
  EXPECT_TRUE(store_->attestation("machine-3").value().has_value());
  EXPECT_FALSE(store_->published_policy().value().has_value());
}

/// The genuine row keeps its seal, and stands where it is read last.
TEST_F(TamperedTest, key_that_is_there_twice_is_believed_in_neither_row) {
  tamper(with_other_key("overrides", "id TEXT NOT NULL PRIMARY KEY", "id TEXT NOT NULL",
                        "INSERT INTO overrides (rowid, id, machine_uuid, identities, reason, actor, created, expires) SELECT -1, id, "
                        "machine_uuid, '{\"vda\":1}', 'forged', actor, created, expires - 1 FROM overrides"));
  EXPECT_NE(problems().find("record override/machine-1/o is there twice"), std::string::npos) << problems();
  EXPECT_TRUE(untrusted(store_->overrides("machine-1")));
  EXPECT_TRUE(untrusted(read_gate_facts(file(), "machine-1", {}, clock_.now())));
  tamper(with_other_key("runs", "id TEXT NOT NULL UNIQUE", "id TEXT NOT NULL",
                        "INSERT INTO runs SELECT -sequence, id, kind, machine_uuid, machine_name, host, recipe_id, recipe_version, "
                        "recipe_digest, state, holder_pid, holder_start_time, holder_boot_id, recovery_attempts, created, updated, error, "
                        "'{\"disks\":[\"forged\"]}' FROM runs WHERE state = 'attested'"));
  EXPECT_NE(problems().find("record run/" + ended_ + " is there twice"), std::string::npos) << problems();
  EXPECT_TRUE(untrusted(store_->runs({})));
  tamper(with_other_key("recipes", "id TEXT NOT NULL PRIMARY KEY,\n  version INTEGER NOT NULL,\n  digest TEXT NOT NULL",
                        "id TEXT NOT NULL, version INTEGER NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (id, version)",
                        "INSERT INTO recipes SELECT id, 1, digest FROM recipes"));
  EXPECT_NE(problems().find("record recipe/r is there twice"), std::string::npos) << problems();
  EXPECT_TRUE(untrusted(store_->seen_recipe("r")));
  EXPECT_TRUE(untrusted(store_->note_recipe("r", 4, "four")));
}

TEST_F(TamperedTest, index_that_says_something_else_than_its_table_is_named) {
  ASSERT_TRUE(store_->note_recipe("other", 1, "one"));
  tamper("CREATE TEMP TABLE kept AS SELECT sql FROM sqlite_schema WHERE name = 'overrides_machine'; PRAGMA writable_schema = ON;"
         "UPDATE sqlite_schema SET sql = 'CREATE INDEX overrides_machine ON overrides (machine_uuid, expires + 99)' WHERE name = "
         "'overrides_machine'; PRAGMA writable_schema = RESET; REINDEX overrides_machine; PRAGMA writable_schema = ON; UPDATE sqlite_schema "
         "SET sql = (SELECT sql FROM kept) WHERE name = 'overrides_machine'; PRAGMA writable_schema = RESET");
  EXPECT_NE(problems().find("the file is not sound: "), std::string::npos) << problems();
  EXPECT_TRUE(untrusted(store_->verify_audit()));
}

TEST_F(TamperedTest, run_that_may_have_been_writing_is_not_forgotten_by_the_way) {
  ASSERT_TRUE(make_dirs(folder_ / "runs" / open_, 0700));
  ASSERT_TRUE(make_dirs(folder_ / "undo" / ended_, 0700));
  const auto refused = [&](const std::vector<std::string>& forget) {
    const auto accepted = accept_records(folder_, {.reason = "known", .forget = forget}, clock_);
    EXPECT_NE(problems(), "");
    return !accepted && accepted.error().code == Errc::refused && accepted.error().message.find("folder(s) are of runs") != std::string::npos;
  };
  tamper("CREATE VIEW v AS SELECT 1");
  ASSERT_TRUE(accept_records(folder_, {.reason = "known"}, clock_)) << "the records know of both";
  tamper("UPDATE runs SET state = 'discarded' WHERE state = 'committing'");
  EXPECT_TRUE(refused({}));
  tamper("DELETE FROM run_disks; DELETE FROM undo; DELETE FROM runs");
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused({"ledger"}));
  store_.reset();
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file().string() + suffix);
  EXPECT_TRUE(refused({"ledger"}));
  std::filesystem::rename(folder_ / "runs", folder_ / "elsewhere");
  EXPECT_TRUE(refused({"ledger"}));
  std::filesystem::rename(folder_ / "undo", folder_ / "elsewhere-too");
  EXPECT_EQ(accept_records(folder_, {.reason = "known"}, clock_).error().code, Errc::refused) << "not without saying so";
  ASSERT_TRUE(accept_records(folder_, {.reason = "known", .forget = {"ledger"}}, clock_));
  EXPECT_EQ(problems(), "");
}

TEST_F(TamperedTest, lost_ledger_begins_anew_without_a_policy_that_allows_and_the_file_is_kept) {
  store_.reset();
  ASSERT_TRUE(write_file_atomic(file(), "no database", 0600));
  ASSERT_TRUE(accept_records(folder_, {.reason = "known", .forget = {"ledger"}}, clock_));
  EXPECT_EQ(*read_file(file().string() + ".forgotten-1"), "no database");
  EXPECT_EQ(accept_records(folder_, {.reason = "known", .forget = {"ledger"}}, clock_).error().code, Errc::refused) << "it holds";
  EXPECT_TRUE(untrusted(read_gate_facts(file(), "machine-1", {}, clock_.now())));
  store_ = open();
  EXPECT_FALSE(*store_->published_policy());
  ASSERT_TRUE(store_->publish_policy({{"groups", Json::array()}}, {}));
  EXPECT_TRUE(believed(read_gate_facts(file(), "machine-1", {}, clock_.now())));
}

TEST_F(TamperedTest, overrides_of_before_are_void_whatever_is_accepted) {
  tamper("CREATE VIEW v AS SELECT 1");
  ASSERT_TRUE(accept_records(folder_, {.reason = "known"}, clock_));
  EXPECT_TRUE(store_->overrides("machine-1")->empty());
}

TEST_F(TamperedTest, table_of_another_form_cannot_be_accepted) {
  tamper("ALTER TABLE overrides ADD COLUMN more TEXT");
  const auto accepted = accept_records(folder_, {.reason = "known"}, clock_);
  ASSERT_FALSE(accepted);
  EXPECT_EQ(accepted.error().code, Errc::refused);
  EXPECT_NE(accepted.error().message.find("table overrides"), std::string::npos) << accepted.error().message;
  EXPECT_TRUE(untrusted(store_->runs({})));
  ASSERT_TRUE(accept_records(folder_, {.reason = "known", .forget = {"ledger"}}, clock_)) << "but forgotten";
  EXPECT_EQ(problems(), "");
}

}  // namespace
}  // namespace vmpatch::ledger
