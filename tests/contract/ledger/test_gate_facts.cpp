#include "contract/ledger/fixture.hpp"

#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {
namespace {

class GateFactsTest : public LedgerTest {
 protected:
  Result<GateFacts> facts(const std::string& machine = "machine-1", const std::vector<std::string>& disks = {}) {
    return read_gate_facts(file(), machine, disks, clock_.now());
  }
};

TEST_F(GateFactsTest, missing_ledger_is_not_found) {
  const auto read = read_gate_facts(folder_ / "none.sqlite", "m", {}, clock_.now());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::not_found);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "none.sqlite"));
}

TEST_F(GateFactsTest, empty_ledger_has_nothing) {
  const auto read = facts();
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_FALSE(read->attestation || read->unfinished_run);
  EXPECT_TRUE(read->overrides.empty());
  EXPECT_TRUE(read->policy.is_null());
}

TEST_F(GateFactsTest, reader_works_while_a_writer_is_in_the_middle_of_a_transaction) {
  ASSERT_TRUE(store_->publish_policy({{"groups", Json::array()}}, {}));
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "BEGIN IMMEDIATE; DELETE FROM policy", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto read = facts();
  EXPECT_TRUE(read && !read->policy.is_null());
  sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(db);
}

TEST_F(GateFactsTest, reader_works_with_and_without_wal_files) {
  const LedgerRun run = added();
  ASSERT_TRUE(std::filesystem::exists(file().string() + "-wal"));
  EXPECT_TRUE(facts() && facts()->unfinished_run);
  store_.reset();
  ASSERT_FALSE(std::filesystem::exists(file().string() + "-wal"));
  const auto read = facts();
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_TRUE(read->unfinished_run);
  EXPECT_EQ(read->unfinished_run->id, run.id);
}

TEST_F(GateFactsTest, reader_never_changes_the_ledger) {
  added();
  store_.reset();
  const auto before = read_file(file());
  ASSERT_TRUE(facts());
  EXPECT_EQ(*read_file(file()), *before);
}

TEST_F(GateFactsTest, run_that_holds_the_machine_counts_before_a_newer_planned_one) {
  const LedgerRun first = added();
  ASSERT_TRUE(store_->lease(first.id, *this_holder(), {}));
  added();
  EXPECT_EQ(facts()->unfinished_run->id, first.id);
  ASSERT_TRUE(store_->advance(first.id, RunState::leased, RunState::failed, {}, "x"));
  EXPECT_NE(facts()->unfinished_run->id, first.id);
}

TEST_F(GateFactsTest, machine_under_another_uuid_over_a_disk_that_is_being_committed_finds_the_run) {
  const LedgerRun run = run_in(RunState::committing, "machine-1", {"one", "two"});
  EXPECT_FALSE(facts("machine-2")->unfinished_run);
  EXPECT_FALSE(facts("machine-2", {"three"})->unfinished_run);
  const auto found = facts("machine-2", {"three", "two"});
  ASSERT_TRUE(found->unfinished_run);
  EXPECT_EQ(found->unfinished_run->id, run.id);
  EXPECT_EQ(found->unfinished_run->disks, (std::vector<std::string>{"one", "two"}));
}

TEST_F(GateFactsTest, of_several_unfinished_runs_the_one_that_forbids_most_is_told) {
  added("machine-1");
  EXPECT_EQ(facts()->unfinished_run->state, RunState::planned);
  const LedgerRun dead = run_in(RunState::patched, "machine-1", {}, dead_holder());
  for (int i = 0; i < 20; ++i) added("machine-1");
  EXPECT_EQ(facts()->unfinished_run->id, dead.id);
  const LedgerRun alive = run_in(RunState::staged, "machine-2", {"one"});
  EXPECT_EQ(facts("machine-1", {"one"})->unfinished_run->id, alive.id);
  const LedgerRun writing = run_in(RunState::committing, "machine-3", {"two"}, dead_holder());
  EXPECT_EQ(facts("machine-1", {"one", "two"})->unfinished_run->id, writing.id);
  EXPECT_EQ(facts("machine-1", {"two", "one"})->unfinished_run->id, writing.id);
}

TEST_F(GateFactsTest, expired_override_is_left_out) {
  Override entry{.id = "a", .machine_uuid = "machine-1", .identities = Json::object(), .reason = "r", .actor = "",
                 .created = clock_.now(), .expires = clock_.now() + Seconds(60), .used = {}};
  ASSERT_TRUE(store_->add_override(entry));
  entry.id = "b";
  entry.expires = clock_.now();
  ASSERT_TRUE(store_->add_override(entry));
  ASSERT_EQ(facts()->overrides.size(), 1U);
  EXPECT_EQ(facts()->overrides[0].id, "a");
}

TEST_F(GateFactsTest, attestation_comes_without_its_envelope) {
  ASSERT_TRUE(store_->attest_checked(make_attestation("machine-1", "", "secret")));
  ASSERT_TRUE(facts()->attestation);
  EXPECT_EQ(facts()->attestation->identities.at("vda"), 1);
  EXPECT_TRUE(facts()->attestation->envelope.empty());
}

/// "Fast" as a plan, not as a time: no question of the gate may walk a table.
TEST_F(GateFactsTest, every_question_uses_an_index) {
  int searches = 0;
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
  for (const char* question :
       {"SELECT * FROM attestations WHERE machine_uuid = ? ORDER BY sequence DESC LIMIT 1",
        "SELECT * FROM runs WHERE machine_uuid = ? AND state NOT IN ('attested', 'discarded', 'failed') ORDER BY sequence DESC",
        "SELECT * FROM runs WHERE id IN (SELECT run_id FROM run_disks WHERE disk_key = ?) AND state NOT IN ('attested', 'discarded', "
        "'failed')",
        "SELECT * FROM overrides WHERE machine_uuid = ? AND expires > ? ORDER BY expires"}) {
    sqlite3_stmt* plan = nullptr;
    ASSERT_EQ(sqlite3_prepare_v2(db, (std::string("EXPLAIN QUERY PLAN ") + question).c_str(), -1, &plan, nullptr), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
      const std::string step = reinterpret_cast<const char*>(sqlite3_column_text(plan, 3));
      EXPECT_EQ(step.find("SCAN"), std::string::npos) << question << ": " << step;
      if (step.starts_with("SEARCH")) {
        EXPECT_NE(step.find(" INDEX "), std::string::npos) << step;
        ++searches;
      }
    }
    sqlite3_finalize(plan);
  }
  EXPECT_GE(searches, 4);
  sqlite3_close(db);
}

}  // namespace
}  // namespace vmpatch::ledger
