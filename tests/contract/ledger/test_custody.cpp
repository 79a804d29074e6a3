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
  std::unique_ptr<CustodyStore> custody_;
};

TEST_F(CustodyTest, record_comes_back_and_the_next_one_replaces_it) {
  EXPECT_FALSE(custody_->last("m")->has_value());
  Custody c{.machine_uuid = "m", .boot_id = "b", .opened = clock_.now(), .started = true, .closed = {},
            .identities = {{"vda", 1}}, .operation = "prepare", .unbroken = true, .lost = true};
  ASSERT_TRUE(custody_->put(c));
  custody_ = reopen({.busy_timeout_ms = 100, .checkpoint = false});
  auto back = custody_->last("m");
  ASSERT_TRUE(back && *back);
  EXPECT_EQ((*back)->boot_id, "b");
  EXPECT_EQ((*back)->opened, clock_.now());
  EXPECT_TRUE((*back)->started);
  EXPECT_TRUE((*back)->unbroken);
  EXPECT_TRUE((*back)->lost);
  EXPECT_FALSE((*back)->closed);
  c.closed = clock_.now() + Seconds(5);
  c.started = c.unbroken = c.lost = false;
  ASSERT_TRUE(custody_->put(c));
  back = custody_->last("m");
  EXPECT_EQ((*back)->closed, c.closed);
  EXPECT_FALSE((*back)->started || (*back)->unbroken || (*back)->lost);
}

TEST_F(CustodyTest, saved_identities_come_back) {
  EXPECT_FALSE(custody_->saved("m")->has_value());
  ASSERT_TRUE(custody_->put_saved("m", {{"vda", 1}}, clock_.now()));
  ASSERT_TRUE(custody_->put_saved("m", {{"vda", 2}}, clock_.now()));
  EXPECT_EQ((*custody_->saved("m"))->at("vda"), 2);
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
