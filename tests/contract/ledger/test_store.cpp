#include <sys/stat.h>

#include <thread>

#include "contract/ledger/fixture.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {
namespace {

using StoreTest = LedgerTest;

TEST_F(StoreTest, new_ledger_is_private) {
  struct stat info {};
  ASSERT_EQ(::stat(file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  ASSERT_EQ(::stat((file().string() + "-wal").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  ASSERT_EQ(::stat(folder_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
}

TEST_F(StoreTest, folder_that_others_may_write_is_refused) {
  ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
  const auto store = open_store(file(), clock_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Errc::refused);
}

TEST_F(StoreTest, file_that_is_no_database_is_an_error) {
  ASSERT_TRUE(write_file_atomic(folder_ / "other.sqlite", std::string(4096, 'x'), 0600));
  EXPECT_FALSE(open_store(folder_ / "other.sqlite", clock_));
}

TEST_F(StoreTest, run_comes_back_as_it_was_written) {
  LedgerRun run = make_run();
  run.machine_name = "a\"b'c;--\xff";
  run.created = clock_.now();
  ASSERT_TRUE(store_->create_run(run));
  store_ = open();
  const LedgerRun back = only_run(run.id);
  EXPECT_EQ(back.machine_name, run.machine_name);
  EXPECT_EQ(back.holder, run.holder);
  EXPECT_EQ(back.recipe_version, 3U);
  EXPECT_EQ(back.detail, run.detail);
  EXPECT_EQ(back.created, clock_.now());
  EXPECT_EQ(back.state, RunState::planned);
}

TEST_F(StoreTest, same_run_twice_is_an_error) {
  const LedgerRun run = added();
  EXPECT_FALSE(store_->create_run(run));
}

TEST_F(StoreTest, advance_walks_the_whole_way_and_audits_each_step) {
  const LedgerRun run = added();
  ASSERT_TRUE(store_->lease(run.id, run.holder, {}));
  using enum RunState;
  RunState from = leased;
  for (const RunState to : {staged, patched, verified, committing, committed}) {
    ASSERT_TRUE(store_->advance(run.id, from, to, {{std::string(to_string(to)), true}}, ""));
    EXPECT_EQ(only_run(run.id).state, to);
    from = to;
  }
  ASSERT_TRUE(store_->attest(run.id, make_attestation(run.machine_uuid, run.id, "{}")));
  EXPECT_EQ(only_run(run.id).state, attested);
  EXPECT_TRUE(only_run(run.id).detail.at("committing").get<bool>());
  std::vector<std::string> actions;
  const auto rows = store_->audit_rows(1, 100);
  ASSERT_TRUE(rows);
  for (const AuditRow& row : *rows) actions.push_back(row.action);
  EXPECT_EQ(actions, (std::vector<std::string>{"run.planned", "run.leased", "run.staged", "run.patched", "run.verified",
                                               "run.committing", "run.committed", "run.attested", "attestation.made"}));
  EXPECT_EQ(*store_->verify_audit(), 9);
}

TEST_F(StoreTest, advance_from_another_state_changes_nothing) {
  const LedgerRun run = added();
  ASSERT_TRUE(store_->lease(run.id, run.holder, {}));
  const auto moved = store_->advance(run.id, RunState::staged, RunState::patched, {{"x", 1}}, "");
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, Errc::busy);
  EXPECT_EQ(only_run(run.id).state, RunState::leased);
  EXPECT_FALSE(only_run(run.id).detail.contains("x"));
  EXPECT_EQ(store_->audit_rows(1, 100)->size(), 2U);
}

TEST_F(StoreTest, illegal_step_changes_nothing) {
  const LedgerRun run = added();
  ASSERT_TRUE(store_->lease(run.id, run.holder, {}));
  EXPECT_FALSE(store_->advance(run.id, RunState::leased, RunState::committing, {}, ""));
  EXPECT_FALSE(store_->advance(run.id, RunState::leased, RunState::attested, {}, ""));
  EXPECT_EQ(only_run(run.id).state, RunState::leased);
}

TEST_F(StoreTest, detail_is_merged_and_the_error_kept) {
  const LedgerRun run = added();
  ASSERT_TRUE(store_->lease(run.id, run.holder, {}));
  ASSERT_TRUE(store_->advance(run.id, RunState::leased, RunState::staged, {{"a", {{"b", 1}}}}, ""));
  ASSERT_TRUE(store_->advance(run.id, RunState::staged, RunState::failed, {{"a", {{"c", 2}}}}, "dpkg failed"));
  const LedgerRun back = only_run(run.id);
  EXPECT_EQ(dump_json(back.detail.at("a")), R"({"b":1,"c":2})");
  EXPECT_TRUE(back.detail.contains("disks"));
  EXPECT_EQ(back.error, "dpkg failed");
}

TEST_F(StoreTest, unfinished_filter_and_limit_give_the_newest_first) {
  const LedgerRun a = added("m-a");
  const LedgerRun b = added("m-b");
  ASSERT_TRUE(store_->advance(a.id, RunState::planned, RunState::discarded, {}, "not wanted"));
  const LedgerRun c = added("m-a");
  const auto unfinished = store_->runs({.machine_uuid = {}, .run_id = {}, .unfinished_only = true});
  ASSERT_EQ(unfinished->size(), 2U);
  EXPECT_EQ(unfinished->at(0).id, c.id);
  EXPECT_EQ(unfinished->at(1).id, b.id);
  EXPECT_EQ(store_->runs({.machine_uuid = "m-a", .run_id = {}})->size(), 2U);
  EXPECT_EQ(store_->runs({.machine_uuid = "m-a", .run_id = a.id, .unfinished_only = true})->size(), 0U);
  EXPECT_EQ(store_->runs({.machine_uuid = {}, .run_id = {}, .unfinished_only = false, .limit = 1})->at(0).id, c.id);
}

TEST_F(StoreTest, runs_are_found_by_the_disks_that_they_hold_or_held) {
  const LedgerRun a = run_in(RunState::failed, "m-a", {"one", "two"});
  const LedgerRun b = run_in(RunState::leased, "m-b", {"two", "three"});
  const auto ids = [&](RunFilter filter) {
    std::vector<std::string> found;
    const auto runs = store_->runs(filter);
    for (const LedgerRun& run : *runs) found.push_back(run.id);
    return found;
  };
  EXPECT_EQ(ids({.disks = {"two"}}), (std::vector<std::string>{b.id, a.id}));
  EXPECT_EQ(ids({.disks = {"one", "three"}}), (std::vector<std::string>{b.id, a.id}));
  EXPECT_EQ(ids({.disks = {"two"}, .unfinished_only = true}), std::vector<std::string>{b.id});
  EXPECT_EQ(ids({.machine_uuid = "m-a", .disks = {"three"}}), std::vector<std::string>{});
  EXPECT_EQ(ids({.disks = {"tw"}}), std::vector<std::string>{});
}

TEST_F(StoreTest, filter_without_a_limit_gives_all_runs) {
  ASSERT_TRUE(store_->together([&]() -> Result<void> {
    for (int i = 0; i < 1001; ++i) VMPATCH_CHECK(store_->create_run(make_run()));
    return {};
  }));
  EXPECT_EQ(store_->runs({})->size(), 1001U);
  EXPECT_EQ(store_->runs({.limit = 2})->size(), 2U);
}

TEST_F(StoreTest, calls_made_together_are_one_transaction_that_fails_with_any_of_them) {
  const LedgerRun run = added();
  const auto done = store_->together([&]() -> Result<void> {
    VMPATCH_CHECK(store_->lease(run.id, run.holder, {"disk"}));
    EXPECT_FALSE(store_->advance(run.id, RunState::leased, RunState::committing, {}, ""));
    return {};
  });
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("cannot go from leased to committing"), std::string::npos) << done.error().message;
  EXPECT_EQ(only_run(run.id).state, RunState::planned);
  EXPECT_EQ(store_->audit_rows(1, 10)->size(), 1U);
}

TEST_F(StoreTest, exception_inside_together_undoes_all_of_it_and_the_next_call_works) {
  const LedgerRun run = added();
  EXPECT_THROW(static_cast<void>(store_->together([&]() -> Result<void> {
    VMPATCH_CHECK(store_->lease(run.id, run.holder, {}));
    throw std::runtime_error("no");
  })), std::runtime_error);
  EXPECT_EQ(only_run(run.id).state, RunState::planned);
  EXPECT_TRUE(store_->lease(run.id, run.holder, {}));
  store_ = open();
  EXPECT_EQ(only_run(run.id).state, RunState::leased);
}

TEST_F(StoreTest, run_that_begins_with_disks_is_an_error) {
  LedgerRun run = make_run();
  run.disks = {"disk"};
  EXPECT_FALSE(store_->create_run(run));
}

TEST_F(StoreTest, newest_attestation_counts) {
  ASSERT_TRUE(store_->attest_checked(make_attestation("m", "", "one")));
  ASSERT_TRUE(store_->attest_checked(make_attestation("m", "", "two")));
  EXPECT_EQ((*store_->attestation("m"))->envelope, "two");
  EXPECT_EQ(store_->attestations()->size(), 1U);
  EXPECT_FALSE(store_->attestation("other")->has_value());
}

TEST_F(StoreTest, attest_of_an_uncommitted_run_leaves_no_attestation) {
  const LedgerRun run = added();
  EXPECT_FALSE(store_->attest(run.id, make_attestation(run.machine_uuid, run.id, "{}")));
  EXPECT_FALSE(store_->attestation(run.machine_uuid)->has_value());
}

TEST_F(StoreTest, seen_recipe_never_goes_down) {
  EXPECT_EQ(store_->seen_recipe("r")->version, 0U);
  ASSERT_TRUE(store_->note_recipe("r", 3, "three"));
  ASSERT_TRUE(store_->note_recipe("r", 2, "two"));
  ASSERT_TRUE(store_->note_recipe("r", 3, "other"));
  EXPECT_EQ(store_->seen_recipe("r")->version, 3U);
  EXPECT_EQ(store_->seen_recipe("r")->digest, "three");
  EXPECT_EQ(store_->audit_rows(1, 10)->size(), 1U);
}

TEST_F(StoreTest, published_policy_comes_back) {
  EXPECT_FALSE(store_->published_policy()->has_value());
  ASSERT_TRUE(store_->publish_policy({{"groups", Json::array()}}, {{"file", "/etc/x"}}));
  ASSERT_TRUE(store_->publish_policy({{"groups", {1}}}, {{"file", "/etc/y"}}));
  const auto back = store_->published_policy();
  EXPECT_EQ(dump_json((*back)->first), R"({"groups":[1]})");
  EXPECT_EQ((*back)->second.at("file"), "/etc/y");
}

TEST_F(StoreTest, override_has_its_audit_row) {
  Override entry{.id = random_uuid(), .machine_uuid = "m", .identities = {{"vda", 1}}, .reason = "fire", .actor = "",
                 .created = clock_.now(), .expires = clock_.now() + Seconds(60), .used = {}};
  ASSERT_TRUE(store_->add_override(entry));
  ASSERT_EQ(store_->overrides("m")->size(), 1U);
  EXPECT_FALSE(store_->overrides("m")->at(0).actor.empty());
  EXPECT_EQ(store_->audit_rows(1, 10)->at(0).action, "gate.override");
}

TEST_F(StoreTest, several_threads_share_one_store) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) EXPECT_TRUE(store_->audit("test", "x", {{"i", i}}));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(*store_->verify_audit(), 100);
}

}  // namespace
}  // namespace vmpatch::ledger
