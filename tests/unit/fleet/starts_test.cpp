#include "vmpatch/fleet/starts.hpp"

#include <gtest/gtest.h>

#include "unit/image/temp_dir.hpp"

namespace vmpatch::fleet {
namespace {

constexpr const char* uuid = "11111111-0000-4000-8000-000000000001";
const Time now = parse_time("2026-11-29").value();

Time days_ago(int days) { return now - std::chrono::hours(24 * days); }

inventory::Machine make_machine(const std::string& id = uuid) {
  inventory::Machine machine;
  machine.uuid = id;
  machine.name = "web01";
  machine.host = "qemu:///system";
  return machine;
}

class StartsTest : public ::testing::Test {
 protected:
  image::test::TempDir folder;
  const std::filesystem::path file = folder / "state" / "custody.sqlite";  // the anchor lies beside the state folder

  void record(const std::string& action, const std::string& operation, Time time, const std::string& subject = uuid) {
    auto store = ledger::CustodyStore::open(file);
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE((*store)->record(action, subject, {{"operation", operation}}, time));
  }
  [[nodiscard]] Starts load() const {
    auto starts = Starts::load(file);
    EXPECT_TRUE(starts) << starts.error().message;
    return std::move(*starts);
  }
};

TEST_F(StartsTest, WithoutRecordsNothingIsKnownAndNoFileIsMade) {
  const Starts starts = load();
  EXPECT_FALSE(starts.last(make_machine()));
  EXPECT_FALSE(starts.per_week(make_machine(), now));
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(StartsTest, OnlyStartsThatHappenedCount) {
  record("gate.event", "attach", days_ago(28));
  record("gate.deny", "prepare", days_ago(20));
  record("gate.allow", "prepare", days_ago(14));
  record("gate.allow", "started", days_ago(14));
  record("gate.allow", "restore", days_ago(7));
  record("gate.allow", "prepare", days_ago(7));
  record("gate.warn", "started", days_ago(7));
  record("gate.allow", "started", days_ago(2), "11111111-0000-4000-8000-000000000009");
  record("gate.event", "release", days_ago(1));
  const Starts starts = load();
  EXPECT_EQ(starts.last(make_machine()), days_ago(7));
  EXPECT_DOUBLE_EQ(starts.per_week(make_machine(), now).value(), 0.5);  // two in the four weeks since the first record
}

TEST_F(StartsTest, AMachineThatTheGateSawNotStartHasZeroAndOneThatItCannotSeeHasNothing) {
  record("gate.event", "attach", days_ago(28));
  const Starts starts = load();
  EXPECT_EQ(starts.per_week(make_machine(), now), 0.0);
  inventory::Machine bare = make_machine();
  bare.bare = true;
  EXPECT_FALSE(starts.per_week(bare, now));
  inventory::Machine remote = make_machine();
  remote.local = false;
  EXPECT_FALSE(starts.per_week(remote, now));
}

TEST_F(StartsTest, RecordsOfLessThanAWeekCountAsAWeek) {
  record("gate.allow", "started", days_ago(1));
  EXPECT_EQ(load().per_week(make_machine(), now), 1.0);
}

TEST_F(StartsTest, MoreRecordsThanOnePageAreRead) {
  auto store = ledger::CustodyStore::open(file);
  ASSERT_TRUE(store);
  constexpr int many = 10'050;
  ASSERT_TRUE((*store)->together([&]() -> Result<void> {
    for (int i = 0; i < many; ++i) VMPATCH_CHECK((*store)->record("gate.allow", uuid, {{"operation", "started"}}, days_ago(7)));
    return {};
  }));
  EXPECT_EQ(load().per_week(make_machine(), now), static_cast<double>(many));
}

TEST_F(StartsTest, TheNewestTraceIsTheLastStart) {
  record("gate.allow", "started", days_ago(30));
  const Starts starts = load();
  guest::Facts facts;
  facts.last_boot = {std::chrono::duration_cast<Seconds>(days_ago(10).time_since_epoch()).count(), "/var/log/wtmp"};
  EXPECT_EQ(find_last_start(starts, make_machine(), &facts, now)->source, "/var/log/wtmp");
  EXPECT_EQ(find_last_start(starts, make_machine(), nullptr, now)->source, "gate records");
  facts.last_boot.time = std::chrono::duration_cast<Seconds>(days_ago(50).time_since_epoch()).count();
  EXPECT_EQ(find_last_start(starts, make_machine(), &facts, now)->time, days_ago(30));
  EXPECT_FALSE(find_last_start({}, make_machine(), nullptr, now));
}

TEST_F(StartsTest, ATraceFromTheFutureOrOutsideOfTimeIsNone) {
  guest::Facts facts;
  for (const std::int64_t seconds : {std::chrono::duration_cast<Seconds>(now.time_since_epoch()).count() + 1, INT64_MAX, INT64_MIN, INT64_C(0)}) {
    facts.last_boot = {seconds, "/var/log/wtmp"};
    EXPECT_FALSE(find_last_start({}, make_machine(), &facts, now)) << seconds;
  }
}

}  // namespace
}  // namespace vmpatch::fleet
