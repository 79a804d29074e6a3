// Leases between real processes, and a process killed while it writes.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "contract/ledger/fixture.hpp"

namespace vmpatch::ledger {
namespace {

class LeaseTest : public LedgerTest {
 protected:
  /// SQLite connections must not cross a fork: close ours first.
  pid_t fork_child(const std::function<int(Store&)>& work) {
    store_.reset();
    const pid_t child = ::fork();
    if (child == 0) {
      auto store = open_store(file(), clock_);
      ::_exit(store ? work(**store) : 99);
    }
    return child;
  }
  static int exit_of(pid_t child) {
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
};

TEST_F(LeaseTest, held_by_a_living_process_is_busy_and_names_it) {
  const LedgerRun first = added();
  const LedgerRun second = added();
  ASSERT_TRUE(store_->lease(first.id, *this_holder(), {}));
  const auto leased = store_->lease(second.id, *this_holder(), {});
  ASSERT_FALSE(leased);
  EXPECT_EQ(leased.error().code, Errc::busy);
  EXPECT_NE(leased.error().message.find(first.id), std::string::npos);
  EXPECT_NE(leased.error().message.find("web01"), std::string::npos);
  EXPECT_NE(leased.error().message.find(std::to_string(::getpid())), std::string::npos);
}

TEST_F(LeaseTest, held_by_a_dead_process_needs_recovery) {
  const LedgerRun first = added();
  const LedgerRun second = added();
  ASSERT_TRUE(store_->lease(first.id, dead_holder(), {}));
  const auto leased = store_->lease(second.id, *this_holder(), {});
  ASSERT_FALSE(leased);
  EXPECT_EQ(leased.error().code, Errc::recovery_needed);
  EXPECT_NE(leased.error().message.find(first.id), std::string::npos);
  EXPECT_NE(leased.error().message.find("vm-patch recover"), std::string::npos);
}

TEST_F(LeaseTest, other_machine_is_free) {
  const LedgerRun first = added("m-1");
  const LedgerRun second = added("m-2");
  ASSERT_TRUE(store_->lease(first.id, *this_holder(), {}));
  EXPECT_TRUE(store_->lease(second.id, *this_holder(), {}));
}

TEST_F(LeaseTest, finished_run_gives_the_lease_back) {
  const LedgerRun first = added();
  const LedgerRun second = added();
  ASSERT_TRUE(store_->lease(first.id, *this_holder(), {}));
  ASSERT_TRUE(store_->advance(first.id, RunState::leased, RunState::failed, {}, "no"));
  EXPECT_TRUE(store_->lease(second.id, *this_holder(), {}));
}

TEST_F(LeaseTest, quarantined_machine_needs_recovery_whoever_lives) {
  const LedgerRun first = added();
  const LedgerRun second = added();
  ASSERT_TRUE(store_->lease(first.id, *this_holder(), {}));
  using enum RunState;
  ASSERT_TRUE(store_->advance(first.id, leased, staged, {}, ""));
  ASSERT_TRUE(store_->advance(first.id, staged, patched, {}, ""));
  ASSERT_TRUE(store_->advance(first.id, patched, verified, {}, ""));
  ASSERT_TRUE(store_->advance(first.id, verified, committing, {}, ""));
  ASSERT_TRUE(store_->advance(first.id, committing, quarantined, {}, "redo failed"));
  const auto leased_second = store_->lease(second.id, *this_holder(), {});
  ASSERT_FALSE(leased_second);
  EXPECT_EQ(leased_second.error().code, Errc::recovery_needed);
}

TEST_F(LeaseTest, the_database_itself_refuses_a_second_holder) {
  const LedgerRun first = added();
  const LedgerRun second = added();
  ASSERT_TRUE(store_->lease(first.id, *this_holder(), {}));
  store_.reset();
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, "UPDATE runs SET state = 'leased'", nullptr, nullptr, nullptr), SQLITE_CONSTRAINT);
  sqlite3_close(db);
}

TEST_F(LeaseTest, disk_held_by_a_run_of_another_machine_is_busy_and_names_disk_and_run) {
  const LedgerRun first = run_in(RunState::leased, "machine-1", {"ext:1/2", "ext:1/3"});
  const LedgerRun second = added("machine-2");
  const auto leased = store_->lease(second.id, *this_holder(), {"ext:1/9", "ext:1/3"});
  ASSERT_FALSE(leased);
  EXPECT_EQ(leased.error().code, Errc::busy);
  EXPECT_EQ(leased.error().message, fmt::format("disk ext:1/3 of machine web01 is held by run {} (process {}, state leased); wait for it to end",
                                                first.id, ::getpid()));
  EXPECT_EQ(only_run(second.id).state, RunState::planned);
  EXPECT_TRUE(only_run(second.id).disks.empty());
}

TEST_F(LeaseTest, disk_held_by_a_dead_process_needs_recovery) {
  run_in(RunState::committing, "machine-1", {"ext:1/2"}, dead_holder());
  const auto leased = store_->lease(added("machine-2").id, *this_holder(), {"ext:1/2"});
  ASSERT_FALSE(leased);
  EXPECT_EQ(leased.error().code, Errc::recovery_needed);
  EXPECT_NE(leased.error().message.find("disk ext:1/2 of machine web01"), std::string::npos) << leased.error().message;
}

TEST_F(LeaseTest, quarantined_run_keeps_its_disks_and_every_end_gives_them_back) {
  using enum RunState;
  const LedgerRun shut = run_in(quarantined, "machine-0", {"q"});
  EXPECT_EQ(store_->lease(added("machine-9").id, *this_holder(), {"q"}).error().code, Errc::recovery_needed);
  for (const RunState end : {attested, discarded, failed}) {
    const std::string name(to_string(end));
    run_in(end, "machine-of-" + name, {"disk"});
  }
  const LedgerRun last = run_in(leased, "machine-last", {"disk"});
  EXPECT_EQ(only_run(last.id).disks, std::vector<std::string>{"disk"});
}

TEST_F(LeaseTest, held_disks_come_back_sorted_and_once_and_are_in_the_audit_row) {
  const LedgerRun run = run_in(RunState::leased, "machine-1", {"b\n\"'", "a", "b\n\"'"});
  EXPECT_EQ(run.disks, (std::vector<std::string>{"a", "b\n\"'"}));
  const AuditRow row = store_->audit_rows(1, 10)->back();
  EXPECT_EQ(row.action, "run.leased");
  EXPECT_EQ(row.data.at("machine"), "machine-1");
  EXPECT_EQ(row.data.at("disks"), Json(run.disks));
}

TEST_F(LeaseTest, too_many_disks_or_a_key_out_of_bounds_are_refused) {
  const LedgerRun run = added();
  for (const auto& keys : {std::vector<std::string>(65, "x"), {std::string(513, 'x')}, {""}}) {
    const auto leased = store_->lease(run.id, *this_holder(), keys);
    ASSERT_FALSE(leased);
    EXPECT_EQ(leased.error().code, Errc::refused);
  }
  std::vector<std::string> most;
  for (int i = 0; i < 64; ++i) most.push_back(fmt::format("{:0>512}", i));
  EXPECT_TRUE(store_->lease(run.id, *this_holder(), most));
  EXPECT_EQ(only_run(run.id).disks, most);
}

TEST_F(LeaseTest, the_database_itself_refuses_a_second_holder_of_a_disk) {
  run_in(RunState::leased, "machine-1", {"disk"});
  const LedgerRun second = run_in(RunState::failed, "machine-2", {"other"});
  store_.reset();
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
  const auto execute = [&](const std::string& text) { return sqlite3_exec(db, text.c_str(), nullptr, nullptr, nullptr); };
  EXPECT_EQ(execute(fmt::format("INSERT INTO run_disks VALUES ('{}', 'disk', 1)", second.id)), SQLITE_CONSTRAINT);
  EXPECT_EQ(execute(fmt::format("INSERT INTO run_disks VALUES ('{}', 'disk', 0)", second.id)), SQLITE_OK);
  EXPECT_EQ(execute(fmt::format("UPDATE runs SET state = 'leased' WHERE id = '{}'", second.id)), SQLITE_CONSTRAINT);
  sqlite3_close(db);
}

class RacingLeaseTest : public LeaseTest, public ::testing::WithParamInterface<bool> {};

INSTANTIATE_TEST_SUITE_P(Over, RacingLeaseTest, ::testing::Bool(),
                         [](const auto& same_machine) { return same_machine.param ? "one_machine" : "one_disk_of_many_machines"; });

TEST_P(RacingLeaseTest, of_many_racing_processes_one_wins) {
  constexpr int racers = 6;
  std::vector<std::string> ids;
  const auto machine_of = [](int i) { return GetParam() ? std::string("machine-1") : fmt::format("machine-{}", i); };
  for (int i = 0; i < racers; ++i) ids.push_back(added(machine_of(i)).id);
  int gate[2];
  ASSERT_EQ(::pipe(gate), 0);
  std::vector<pid_t> children;
  for (const std::string& id : ids) {
    children.push_back(fork_child([&](Store& store) {
      ::close(gate[1]);
      char byte = 0;
      static_cast<void>(::read(gate[0], &byte, 1));  // returns when the parent closes its end
      const auto leased = store.lease(id, *this_holder(), GetParam() ? std::vector<std::string>() : std::vector<std::string>{"disk"});
      if (leased) ::pause();  // alive as long as the others try
      return leased.error().code == Errc::busy ? 6 : 98;
    }));
  }
  ::close(gate[0]);
  ::close(gate[1]);
  int busy = 0;
  for (int i = 0; i < racers - 1; ++i) {
    int status = 0;
    const pid_t ended = ::wait(&status);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 6) ++busy;
    std::erase(children, ended);
  }
  EXPECT_EQ(busy, racers - 1);
  ASSERT_EQ(children.size(), 1U);
  ::kill(children.front(), SIGKILL);
  EXPECT_EQ(exit_of(children.front()), 128 + SIGKILL);
  store_ = open();
  EXPECT_EQ(*store_->verify_audit(), racers + 1);
}

TEST_F(LeaseTest, adopt_counts_and_refuses_the_living) {
  const LedgerRun run = added();
  ASSERT_TRUE(store_->lease(run.id, dead_holder(), {}));
  ASSERT_TRUE(store_->adopt(run.id, *this_holder()));
  EXPECT_EQ(only_run(run.id).recovery_attempts, 1U);
  EXPECT_EQ(only_run(run.id).holder, *this_holder());
  Holder other = *this_holder();
  other.pid = 1;
  const auto adopted = store_->adopt(run.id, other);
  ASSERT_FALSE(adopted);
  EXPECT_EQ(adopted.error().code, Errc::busy);
}

TEST_F(LeaseTest, finished_run_cannot_be_adopted) {
  const LedgerRun run = added();
  ASSERT_TRUE(store_->advance(run.id, RunState::planned, RunState::failed, {}, "no"));
  EXPECT_EQ(store_->adopt(run.id, *this_holder()).error().code, Errc::refused);
}

/// Killed again and again in the middle of advance(): state, detail and audit row always agree.
TEST_F(LeaseTest, kill_in_the_middle_of_advance_leaves_all_or_nothing) {
  int stopped_in_between = 0;
  for (int round = 0; round < 40; ++round) {
    const std::string machine = "m-" + std::to_string(round);
    const LedgerRun run = added(machine);
    ASSERT_TRUE(store_->lease(run.id, dead_holder(), {}));
    int progress[2];
    ASSERT_EQ(::pipe(progress), 0);
    const pid_t child = fork_child([&](Store& store) {
      using enum RunState;
      RunState from = leased;
      for (const RunState to : {staged, patched, verified, committing, committed}) {
        if (::write(progress[1], "x", 1) != 1) return 96;
        if (!store.advance(run.id, from, to, {{"at", to_string(to)}}, "")) return 97;
        from = to;
      }
      return 0;
    });
    // One byte comes before each step: kill at a different step and a different moment each time.
    char byte = 0;
    for (int step = 0; step <= round % 5; ++step) ASSERT_EQ(::read(progress[0], &byte, 1), 1);
    ::usleep(static_cast<useconds_t>(round * 50));
    ::kill(child, SIGKILL);
    exit_of(child);
    ::close(progress[0]);
    ::close(progress[1]);
    store_ = open();
    const LedgerRun after = only_run(run.id);
    if (after.state != RunState::leased && after.state != RunState::committed) ++stopped_in_between;
    if (after.state != RunState::leased) {
      EXPECT_EQ(after.detail.at("at"), to_string(after.state));
    }
    ASSERT_TRUE(store_->verify_audit());
    const auto rows = store_->audit_rows(1, 100'000);
    EXPECT_EQ(rows->back().action, fmt::format("run.{}", to_string(after.state)));
  }
  EXPECT_GT(stopped_in_between, 0);
}

}  // namespace
}  // namespace vmpatch::ledger
