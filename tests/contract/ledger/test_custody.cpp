#include <array>
#include <latch>
#include <thread>

#include "contract/ledger/fixture.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::ledger {
namespace {

class CustodyTest : public LedgerTest {
 protected:
  void SetUp() override {
    LedgerTest::SetUp();
    custody_ = reopen();
  }
  void TearDown() override {
    custody_.reset();
    LedgerTest::TearDown();
  }
  std::unique_ptr<CustodyStore> reopen(const CustodyOptions& options = {}) {
    auto opened = CustodyStore::open(folder_ / "custody.sqlite", options);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
    return opened ? std::move(*opened) : nullptr;
  }
  std::vector<AuditRow> rows_of(const std::string& action) {
    auto rows = *custody_->records(1, 100);
    std::erase_if(rows, [&](const AuditRow& row) { return row.action != action; });
    return rows;
  }
  std::unique_ptr<CustodyStore> custody_;
};

TEST_F(CustodyTest, record_comes_back_and_the_next_one_replaces_it) {
  EXPECT_FALSE(custody_->last("m")->has_value());
  Custody c{.machine_uuid = "m", .boot_id = "b", .opened = clock_.now(), .started = true, .closed = {},
            .identities = {{"vda", 1}}, .live = {{"vda", 1}, {"vdb", 2}}, .operation = "prepare", .unbroken = true, .attested = clock_.now(), .lost = true};
  ASSERT_TRUE(custody_->put(c));
  custody_ = reopen({.busy_timeout_ms = 100, .checkpoint = false});
  auto back = custody_->last("m");
  ASSERT_TRUE(back && *back);
  EXPECT_EQ((*back)->boot_id, "b");
  EXPECT_EQ((*back)->opened, clock_.now());
  EXPECT_TRUE((*back)->started);
  EXPECT_TRUE((*back)->unbroken);
  EXPECT_TRUE((*back)->lost);
  EXPECT_EQ((*back)->attested, clock_.now());
  EXPECT_EQ((*back)->live, c.live);
  EXPECT_FALSE((*back)->closed);
  c.closed = clock_.now() + Seconds(5);
  c.started = c.unbroken = c.lost = false;
  c.live = {};
  ASSERT_TRUE(custody_->put(c));
  back = custody_->last("m");
  EXPECT_EQ((*back)->closed, c.closed);
  EXPECT_FALSE((*back)->started || (*back)->unbroken || (*back)->lost);
  EXPECT_TRUE((*back)->live.is_null());
}

TEST_F(CustodyTest, saved_identities_come_back) {
  EXPECT_FALSE(custody_->saved("m")->has_value());
  ASSERT_TRUE(custody_->put_saved("m", {.identities = {{"vda", 1}}, .time = clock_.now(), .memory = true, .managed = true}));
  custody_ = reopen();
  auto back = *custody_->saved("m");
  EXPECT_EQ(back->identities.at("vda"), 1);
  EXPECT_EQ(back->time, clock_.now());
  EXPECT_TRUE(back->memory && back->managed);
  ASSERT_TRUE(custody_->put_saved("m", {.identities = {}, .time = clock_.now(), .memory = false, .managed = true}));
  back = *custody_->saved("m");
  EXPECT_TRUE(back->identities.is_null());
  EXPECT_FALSE(back->memory || back->managed || back->without_memory) << "managed means nothing without memory";
  ASSERT_TRUE(custody_->put_saved("m", {.identities = {}, .time = clock_.now(), .without_memory = true}));
  back = *custody_->saved("m");
  EXPECT_TRUE(back->without_memory && !back->memory);
}

TEST_F(CustodyTest, forgotten_memory_leaves_the_identities_and_one_row_with_the_reason) {
  ASSERT_TRUE(custody_->forget_memory("m", "none there", clock_.now()));
  ASSERT_TRUE(custody_->put_saved("m", {.identities = {{"vda", 1}}, .time = clock_.now(), .memory = true}));
  ASSERT_TRUE(custody_->put_saved("other", {.identities = {{"vda", 1}}, .time = clock_.now(), .memory = true}));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(custody_->forget_memory("m", "thrown away", clock_.now()));
  EXPECT_FALSE((*custody_->saved("m"))->memory);
  EXPECT_EQ((*custody_->saved("m"))->identities.at("vda"), 1);
  EXPECT_TRUE((*custody_->saved("other"))->memory);
  const auto rows = rows_of("gate.forget-save");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows.at(0).subject, "m");
  EXPECT_EQ(rows.at(0).data.at("reason"), "thrown away");
}

TEST_F(CustodyTest, memory_that_was_thrown_away_is_that_of_before_whether_it_was_recorded_or_not) {
  const Time noon = clock_.now();
  ASSERT_TRUE(custody_->throw_memory_away("unrecorded", noon, "file deleted", noon));
  ASSERT_TRUE(custody_->put_saved("m", {.identities = {{"vda", 1}}, .time = noon, .memory = true}));
  ASSERT_TRUE(custody_->put_saved("later", {.identities = {{"vda", 1}}, .time = noon + Seconds(1), .memory = true}));
  for (const char* machine : {"m", "later"}) ASSERT_TRUE(custody_->throw_memory_away(machine, noon, "file deleted", noon + Seconds(2)));
  custody_ = reopen();
  const auto all = *custody_->all_saved();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_TRUE(all.at("unrecorded").identities.is_null());
  for (const char* machine : {"unrecorded", "m", "later"}) EXPECT_EQ(all.at(machine).forgotten, noon) << machine;
  EXPECT_FALSE(all.at("unrecorded").memory || all.at("m").memory);
  EXPECT_TRUE(all.at("later").memory) << "saved after what was thrown away";
  EXPECT_EQ(all.at("m").identities.at("vda"), 1);
  ASSERT_TRUE(custody_->throw_memory_away("m", noon - Seconds(5), "again", noon + Seconds(3)));
  EXPECT_EQ((*custody_->saved("m"))->forgotten, noon) << "an earlier one takes nothing back";
  EXPECT_EQ(rows_of("gate.forget-save").size(), 4U);
}

TEST_F(CustodyTest, pending_restore_comes_back_until_it_is_dropped_and_leaves_the_custody_alone) {
  const Custody running{.machine_uuid = "m", .boot_id = "b", .opened = clock_.now(), .started = true, .closed = {},
                        .identities = {{"vda", 1}}, .live = {}, .operation = "prepare", .unbroken = true};
  ASSERT_TRUE(custody_->put(running));
  EXPECT_FALSE(custody_->restore("m")->has_value());
  PendingRestore restore;
  restore.custody = {.machine_uuid = "m", .boot_id = "c", .opened = clock_.now() + Seconds(1), .closed = {}, .identities = {{"vda", 2}},
                     .live = {{"vda", 2}, {"vdb", 3}}, .operation = "restore", .unbroken = true};
  restore.override_id = "o";
  ASSERT_TRUE(custody_->put_restore(restore));
  custody_ = reopen();
  auto back = *custody_->restore("m");
  ASSERT_TRUE(back);
  EXPECT_EQ(back->custody.boot_id, "c");
  EXPECT_EQ(back->custody.opened, restore.custody.opened);
  EXPECT_EQ(back->custody.identities, restore.custody.identities);
  EXPECT_EQ(back->custody.live, restore.custody.live);
  EXPECT_TRUE(back->custody.unbroken);
  EXPECT_EQ(back->override_id, "o");
  restore.override_id.reset();
  restore.custody.live = {};
  ASSERT_TRUE(custody_->put_restore(restore));
  back = *custody_->restore("m");
  EXPECT_FALSE(back->override_id);
  EXPECT_TRUE(back->custody.live.is_null());
  ASSERT_TRUE(custody_->drop_restore("m"));
  EXPECT_FALSE(custody_->restore("m")->has_value());
  EXPECT_EQ((*custody_->last("m"))->boot_id, "b");
}

TEST_F(CustodyTest, override_is_used_once) {
  ASSERT_TRUE(custody_->use_override("o", clock_.now()));
  const auto again = custody_->use_override("o", clock_.now());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::refused);
  EXPECT_EQ(*custody_->used_overrides(), std::vector<std::string>{"o"});
}

TEST_F(CustodyTest, failure_inside_together_undoes_all_of_it) {
  const auto done = custody_->together([&]() -> Result<void> {
    VMPATCH_CHECK(custody_->record("gate.allow", "m", {}, clock_.now()));
    VMPATCH_CHECK(custody_->use_override("o", clock_.now()));
    return custody_->use_override("o", clock_.now());
  });
  EXPECT_FALSE(done);
  EXPECT_TRUE(custody_->used_overrides()->empty());
  EXPECT_EQ(*custody_->verify(), 0);
}

TEST_F(CustodyTest, records_form_a_chain_and_tampering_is_found) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(custody_->record("gate.deny", "m", {{"i", i}}, clock_.now()));
  EXPECT_EQ(*custody_->verify(), 3);
  EXPECT_EQ(custody_->records(2, 10)->size(), 2U);
  tamper("UPDATE audit SET action = 'gate.allow' WHERE sequence = 2", "custody.sqlite");
  ASSERT_FALSE(custody_->verify());
  EXPECT_EQ(custody_->verify().error().code, Errc::untrusted);
}

TEST_F(CustodyTest, rescan_of_one_machine_is_queued_once) {
  ASSERT_TRUE(custody_->queue_rescan("m", "old", clock_.now()));
  ASSERT_TRUE(custody_->queue_rescan("m", "new", clock_.now() + Seconds(1)));
  const auto rescans = custody_->rescans();
  ASSERT_EQ(rescans->size(), 1U);
  EXPECT_EQ(rescans->at(0).reason, "new");
}

TEST_F(CustodyTest, database_that_many_open_at_once_on_its_first_day_records_all_of_them) {
  constexpr int callers = 8;
  for (int round = 0; round < 30; ++round) {
    const auto file = folder_ / std::to_string(round) / "custody.sqlite";
    std::latch all_there(callers);
    std::vector<std::jthread> threads;
    std::array<std::string, callers> errors;
    for (std::string& error : errors) {
      threads.emplace_back([&] {
        all_there.arrive_and_wait();
        auto store = CustodyStore::open(file, {.busy_timeout_ms = 20000, .checkpoint = false});
        const Result<void> done = store ? (*store)->record("gate.allow", "m", Json::object(), clock_.now()) : Result<void>(store.error());
        if (!done) error = done.error().message;
      });
    }
    threads.clear();
    for (const std::string& error : errors) EXPECT_EQ(error, "") << "round " << round;
    EXPECT_EQ(*(*CustodyStore::open(file, {}))->verify(), callers);
  }
}

}  // namespace
}  // namespace vmpatch::ledger
