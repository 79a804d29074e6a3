#include "contract/ledger/fixture.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {
namespace {

class UndoTest : public LedgerTest {
 protected:
  static Undo undo_of(const LedgerRun& run) {
    Undo undo;
    undo.run_id = run.id;
    undo.machine_uuid = run.machine_uuid;
    undo.machine_name = run.machine_name;
    undo.bytes = 4096;
    undo.detail = {{"vda", "undo.qcow2"}};
    return undo;
  }
  /// An attested run with an undo that is kept.
  LedgerRun kept(const std::string& machine = "machine-1") {
    const LedgerRun run = run_in(RunState::attested, machine);
    EXPECT_TRUE(store_->keep_undo(undo_of(run)));
    return run;
  }
  LedgerRun rollback(const Holder& holder = *this_holder()) { return run_in(RunState::leased, "machine-1", {}, holder); }
  Undo only_undo(const std::string& run_id) {
    const auto found = store_->undos({.run_id = run_id});
    EXPECT_TRUE(found && found->size() == 1);
    return found->at(0);
  }
  std::vector<std::string> undo_actions() {
    std::vector<std::string> actions;
    const auto rows = store_->audit_rows(1, 1000);
    for (const AuditRow& row : *rows) {
      if (row.action.starts_with("undo.")) actions.push_back(row.action);
    }
    return actions;
  }
};

TEST_F(UndoTest, kept_undo_comes_back_as_it_was_written) {
  const LedgerRun run = kept();
  store_ = open();
  const Undo back = only_undo(run.id);
  EXPECT_EQ(back.machine_uuid, "machine-1");
  EXPECT_EQ(back.machine_name, "web01");
  EXPECT_EQ(back.created, clock_.now());
  EXPECT_EQ(back.bytes, 4096U);
  EXPECT_EQ(back.state, UndoState::kept);
  EXPECT_EQ(back.used_by, "");
  EXPECT_EQ(back.detail.at("vda"), "undo.qcow2");
  EXPECT_EQ(undo_actions(), std::vector<std::string>{"undo.kept"});
}

TEST_F(UndoTest, undo_of_an_unknown_run_of_another_machine_or_a_second_one_is_an_error) {
  const LedgerRun run = kept();
  EXPECT_EQ(store_->keep_undo(undo_of(run)).error().code, Errc::refused);
  EXPECT_EQ(store_->keep_undo(undo_of(make_run())).error().code, Errc::not_found);
  Undo foreign = undo_of(run_in(RunState::attested, "machine-2"));
  foreign.machine_uuid = "machine-1";
  EXPECT_FALSE(store_->keep_undo(foreign));
  EXPECT_EQ(undo_actions().size(), 1U);
}

TEST_F(UndoTest, run_is_committed_and_its_undo_kept_in_one_step_or_neither) {
  const LedgerRun run = run_in(RunState::committing);
  const auto commit = [&](const Undo& undo) {
    return store_->together([&]() -> Result<void> {
      VMPATCH_CHECK(store_->advance(run.id, RunState::committing, RunState::committed, {}, ""));
      return store_->keep_undo(undo);
    });
  };
  EXPECT_FALSE(commit(undo_of(make_run())));
  EXPECT_EQ(only_run(run.id).state, RunState::committing);
  EXPECT_TRUE(commit(undo_of(run)));
  EXPECT_EQ(only_run(run.id).state, RunState::committed);
  EXPECT_EQ(only_undo(run.id).state, UndoState::kept);
}

TEST_F(UndoTest, one_rollback_at_a_time_uses_it_and_the_other_is_told_who) {
  const LedgerRun run = kept();
  const LedgerRun first = rollback();
  const LedgerRun second = added();
  ASSERT_TRUE(store_->use_undo(run.id, first.id));
  ASSERT_TRUE(store_->use_undo(run.id, first.id)) << "again by the same one, after a recovery";
  EXPECT_EQ(only_undo(run.id).used_by, first.id);
  EXPECT_EQ(undo_actions(), (std::vector<std::string>{"undo.kept", "undo.in_use"}));
  const auto busy = store_->use_undo(run.id, second.id);
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code, Errc::busy);
  EXPECT_NE(busy.error().message.find(first.id), std::string::npos) << busy.error().message;
}

TEST_F(UndoTest, undo_of_an_interrupted_rollback_needs_recovery) {
  const LedgerRun run = kept();
  ASSERT_TRUE(store_->use_undo(run.id, rollback(dead_holder()).id));
  EXPECT_EQ(store_->use_undo(run.id, added().id).error().code, Errc::recovery_needed);
}

TEST_F(UndoTest, attested_rollback_spends_it_and_a_second_one_is_refused) {
  const LedgerRun run = kept();
  const LedgerRun back = run_in(RunState::committed);
  ASSERT_TRUE(store_->use_undo(run.id, back.id));
  ASSERT_TRUE(store_->attest(back.id, make_attestation("machine-1", back.id, "{}")));
  EXPECT_EQ(only_undo(run.id).state, UndoState::spent);
  EXPECT_EQ(only_undo(run.id).used_by, back.id);
  const auto again = store_->use_undo(run.id, added().id);
  EXPECT_EQ(again.error().code, Errc::refused);
  EXPECT_NE(again.error().message.find(back.id), std::string::npos) << again.error().message;
  EXPECT_EQ(store_->expire_undo(run.id).error().code, Errc::refused);
}

TEST_F(UndoTest, rollback_that_failed_or_was_discarded_leaves_it_kept) {
  const LedgerRun run = kept();
  for (const RunState end : {RunState::failed, RunState::discarded}) {
    const LedgerRun back = rollback();
    ASSERT_TRUE(store_->use_undo(run.id, back.id));
    ASSERT_TRUE(store_->advance(back.id, RunState::leased, end, {}, "no"));
    EXPECT_EQ(only_undo(run.id).state, UndoState::kept);
    EXPECT_EQ(only_undo(run.id).used_by, "");
    EXPECT_EQ(store_->use_undo(run.id, back.id).error().code, Errc::failed) << "a run that has ended reads nothing";
  }
}

TEST_F(UndoTest, release_gives_it_back_or_spends_it_for_its_user_alone) {
  const LedgerRun run = kept();
  const LedgerRun back = rollback();
  ASSERT_TRUE(store_->use_undo(run.id, back.id));
  EXPECT_EQ(store_->release_undo(run.id, "somebody", UndoState::kept).error().code, Errc::refused);
  EXPECT_FALSE(store_->release_undo(run.id, back.id, UndoState::expired));
  ASSERT_TRUE(store_->release_undo(run.id, back.id, UndoState::kept));
  EXPECT_EQ(only_undo(run.id).used_by, "");
  EXPECT_EQ(store_->release_undo(run.id, back.id, UndoState::spent).error().code, Errc::refused);
  ASSERT_TRUE(store_->use_undo(run.id, back.id));
  ASSERT_TRUE(store_->release_undo(run.id, back.id, UndoState::spent));
  ASSERT_TRUE(store_->release_undo(run.id, back.id, UndoState::spent));
  EXPECT_EQ(only_undo(run.id).state, UndoState::spent);
  EXPECT_EQ(undo_actions(), (std::vector<std::string>{"undo.kept", "undo.in_use", "undo.kept", "undo.in_use", "undo.spent"}));
}

TEST_F(UndoTest, undo_in_use_never_expires) {
  const LedgerRun run = kept();
  const LedgerRun back = rollback();
  ASSERT_TRUE(store_->use_undo(run.id, back.id));
  const auto expired = store_->expire_undo(run.id);
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().code, Errc::busy);
  EXPECT_NE(expired.error().message.find(back.id), std::string::npos);
  ASSERT_TRUE(store_->release_undo(run.id, back.id, UndoState::kept));
  ASSERT_TRUE(store_->expire_undo(run.id));
  ASSERT_TRUE(store_->expire_undo(run.id));
  EXPECT_EQ(only_undo(run.id).state, UndoState::expired);
  EXPECT_EQ(store_->use_undo(run.id, back.id).error().code, Errc::refused);
}

TEST_F(UndoTest, filters_give_all_that_fit_oldest_first) {
  ASSERT_TRUE(store_->together([&]() -> Result<void> {
    for (int i = 0; i < 1200; ++i) {
      const LedgerRun run = make_run(i % 2 == 0 ? "even" : "odd");
      VMPATCH_CHECK(store_->create_run(run));
      Undo undo = undo_of(run);
      undo.created = clock_.now() + Seconds(1200 - i);
      VMPATCH_CHECK(store_->keep_undo(undo));
    }
    return {};
  }));
  const auto all = store_->undos({});
  ASSERT_EQ(all->size(), 1200U);
  EXPECT_EQ(all->front().created, clock_.now() + Seconds(1));
  EXPECT_EQ(store_->undos({.machine_uuid = "odd"})->size(), 600U);
  EXPECT_EQ(store_->undos({.created_before = clock_.now() + Seconds(11)})->size(), 10U);
  ASSERT_TRUE(store_->expire_undo(all->at(5).run_id));
  EXPECT_EQ(store_->undos({.states = {UndoState::expired}})->size(), 1U);
  EXPECT_EQ(store_->undos({.states = {UndoState::kept, UndoState::expired}, .created_before = clock_.now() + Seconds(11)})->size(), 10U);
}

TEST_F(UndoTest, missing_undo_is_not_found) {
  const LedgerRun run = added();
  EXPECT_EQ(store_->use_undo(run.id, rollback().id).error().code, Errc::not_found);
  EXPECT_EQ(store_->expire_undo(run.id).error().code, Errc::not_found);
  EXPECT_TRUE(store_->undos({.run_id = run.id})->empty());
}

}  // namespace
}  // namespace vmpatch::ledger
