// The anchor of real databases: killed writers, several at once, and databases of before.

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

#include "contract/ledger/fixture.hpp"
#include "ledger/audit.hpp"
#include "ledger/sqlite/migrate.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/ledger/integrity.hpp"

namespace vmpatch::ledger {
namespace {

class AnchoredTest : public LedgerTest {
 protected:
  /// SQLite connections must not cross a fork: close ours first.
  pid_t fork_child(const std::function<int()>& work) {
    store_.reset();
    const pid_t child = ::fork();
    if (child == 0) ::_exit(work());
    return child;
  }
  static int exit_of(pid_t child) {
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  [[nodiscard]] Anchor anchor() const { return Anchor(folder_); }
  [[nodiscard]] std::int64_t anchored(const std::string& chain = "ledger") const {
    const auto heads = anchor().read();
    EXPECT_TRUE(heads);
    for (const Head& head : *heads) {
      if (head.chain == chain) return head.sequence;
    }
    return -1;
  }
  void everything_holds() {
    const auto all = examine_records(folder_);
    ASSERT_TRUE(all) << all.error().message;
    for (const Examined& one : *all) EXPECT_TRUE(one.problems.empty()) << one.chain << ": " << one.problems.front();
  }
};

TEST_F(AnchoredTest, every_commit_moves_the_anchor_and_is_announced_once) {
  std::vector<std::vector<Head>> announced;
  store_ = std::move(*open_store(file(), clock_, {.announce = [&](const auto& heads) { announced.push_back(heads); }}));
  ASSERT_TRUE((*CustodyStore::open(folder_ / "custody.sqlite"))->record("gate.allow", "m", {}, clock_.now()));
  EXPECT_EQ(anchored(), 0);
  EXPECT_EQ(anchored("gate"), 1);
  run_in(RunState::leased);
  EXPECT_EQ(anchored(), 2);
  EXPECT_TRUE(store_->runs({}));
  ASSERT_EQ(announced.size(), 2U);
  ASSERT_EQ(announced.back().size(), 2U);
  EXPECT_EQ(announced.back().at(0).chain, "ledger");
  EXPECT_EQ(announced.back().at(0).sequence, 2);
  EXPECT_EQ(announced.back().at(0).digest, store_->audit_rows(2, 1)->at(0).digest);
  EXPECT_EQ(announced.back().at(1).chain, "gate");
}

TEST_F(AnchoredTest, transaction_that_fails_moves_nothing) {
  const LedgerRun run = added();
  EXPECT_FALSE(store_->together([&]() -> Result<void> {
    VMPATCH_CHECK(store_->lease(run.id, run.holder, {}));
    return make_error(Errc::failed, "no");
  }));
  EXPECT_EQ(anchored(), 1);
  ASSERT_TRUE(store_->lease(run.id, run.holder, {}));
  EXPECT_EQ(anchored(), 2);
  everything_holds();
}

/// No file may grow beyond the anchor's own size: the log of the database is smaller than that, so that the first thing that a
/// process dies of is the anchor of what it has committed.
TEST_F(AnchoredTest, killed_between_commit_and_anchor_leaves_an_older_anchor_that_holds) {
  ASSERT_TRUE(store_->audit("first", "x", {}));
  store_.reset();
  const auto text = read_file(anchor().file());
  ASSERT_TRUE(write_file_atomic(anchor().file(), *text + std::string(60'000, '\n'), 0600));
  const auto limit = static_cast<rlim_t>(std::filesystem::file_size(anchor().file()));
  const int ended = exit_of(fork_child([&] {
    const rlimit size{limit, limit};
    if (::signal(SIGXFSZ, SIG_DFL) == SIG_ERR || ::setrlimit(RLIMIT_FSIZE, &size) != 0) return 90;
    auto store = open_store(file(), clock_);
    if (!store) return 91;
    return (*store)->audit("second", "x", {}) ? 92 : 93;
  }));
  ASSERT_EQ(ended, 128 + SIGXFSZ);
  EXPECT_EQ(anchored(), 1);
  store_ = open();
  ASSERT_EQ(store_->audit_rows(1, 10)->size(), 2U) << "the commit was done";
  everything_holds();
  ASSERT_TRUE(store_->audit("third", "x", {}));
  EXPECT_EQ(anchored(), 3);
  everything_holds();
}

TEST_F(AnchoredTest, writers_side_by_side_never_move_it_back_nor_see_a_ledger_older_than_it) {
  constexpr int writers = 4;
  constexpr int rows = 60;
  const std::filesystem::path custody_file = folder_ / "custody.sqlite";
  ASSERT_TRUE(CustodyStore::open(custody_file));
  std::vector<pid_t> children;
  for (int i = 0; i < writers; ++i) {
    children.push_back(fork_child([&, i] {
      auto store = open_store(file(), clock_);
      auto custody = CustodyStore::open(custody_file, {.busy_timeout_ms = 20000, .checkpoint = i == 0});
      if (!store || !custody) return 90;
      for (int row = 0; row < rows; ++row) {
        // Each answers "untrusted" if it saw an anchor that is newer than its view of the database.
        const auto written = i % 2 == 0 ? (*store)->audit("row", std::to_string(i), {{"row", row}})
                                        : (*custody)->put_saved(std::to_string(i), {.identities = {{"row", row}}, .time = clock_.now()});
        if (!written) return written.error().code == Errc::untrusted ? 91 : 92;
        if (!(*store)->runs({}) || !read_gate_facts(file(), "m", {}, clock_.now())) return 93;
      }
      return 0;
    }));
  }
  std::atomic<bool> done = false;
  std::jthread observer([&] {
    std::int64_t last = 0;
    while (!done) {
      const std::int64_t now = anchored();
      EXPECT_GE(now, last);
      last = now;
    }
  });
  for (const pid_t child : children) EXPECT_EQ(exit_of(child), 0);
  done = true;
  observer.join();
  EXPECT_EQ(anchored(), writers / 2 * rows);
  EXPECT_EQ(anchored("gate"), writers / 2 * rows);
  everything_holds();
}

TEST_F(AnchoredTest, killed_at_any_moment_records_chain_and_anchor_agree) {
  for (int round = 0; round < 20; ++round) {
    int progress[2];
    ASSERT_EQ(::pipe(progress), 0);
    const pid_t child = fork_child([&] {
      auto store = open_store(file(), clock_);
      if (!store) return 90;
      for (std::uint32_t version = 1;; ++version) {
        if (::write(progress[1], "x", 1) != 1) return 91;
        if (!(*store)->note_recipe(std::to_string(round), version, "00")) return 92;
      }
    });
    char byte = 0;
    for (int step = 0; step <= round % 5; ++step) ASSERT_EQ(::read(progress[0], &byte, 1), 1);
    ::usleep(static_cast<useconds_t>(round * 100));
    ::kill(child, SIGKILL);
    EXPECT_EQ(exit_of(child), 128 + SIGKILL);
    ::close(progress[0]);
    ::close(progress[1]);
    everything_holds();
  }
  store_ = open();
  EXPECT_TRUE(store_->note_recipe("after", 1, "00"));
}

TEST_F(AnchoredTest, commit_that_the_anchor_did_not_follow_is_told_and_made_good) {
  std::vector<std::string> told;
  store_ = std::move(*open_store(file(), clock_, {.not_anchored = [&](const Error& error) { told.push_back(error.message); }}));
  ASSERT_TRUE(store_->audit("first", "x", {}));
  EXPECT_TRUE(tend_anchor(folder_).empty());
  const auto before = *read_file(anchor().file());
  ASSERT_TRUE(store_->audit("second", "x", {}));
  EXPECT_TRUE(told.empty());
  ASSERT_TRUE(write_file_atomic(anchor().file(), before, 0600));
  const auto said = tend_anchor(folder_);
  ASSERT_EQ(said.size(), 1U);
  EXPECT_NE(said.front().find("was 1 row(s) behind"), std::string::npos) << said.front();
  EXPECT_EQ(anchored(), 2);
  EXPECT_TRUE(tend_anchor(folder_).empty());
}

TEST_F(AnchoredTest, acceptance_whose_anchor_cannot_be_begun_changes_nothing) {
  ASSERT_TRUE(store_->audit("first", "x", {}));
  tamper("CREATE VIEW v AS SELECT 1");
  std::filesystem::remove(anchor().file());
  std::filesystem::create_directory(anchor().file());
  EXPECT_EQ(accept_records(folder_, {.reason = "known"}, clock_).error().code, Errc::refused);
  EXPECT_EQ(store_->audit_rows(1, 10)->size(), 1U);
  std::filesystem::remove(anchor().file());
  ASSERT_TRUE(accept_records(folder_, {.reason = "known"}, clock_));
  everything_holds();
}

/// What restored backups and hands leave: whatever the database says of its version, its tables tell.
TEST_F(AnchoredTest, version_that_says_something_else_than_the_tables_is_named_and_can_be_accepted) {
  ASSERT_TRUE(store_->note_recipe("r", 3, "three"));
  for (const int version : {0, 1, 2, 99}) {
    sql(fmt::format("PRAGMA user_version = {}", version));
    const auto found = examine_records(folder_);
    ASSERT_EQ(found->at(0).problems.size(), 1U) << version;
    EXPECT_NE(found->at(0).problems.front().find(fmt::format("says schema version {}", version)), std::string::npos);
    EXPECT_FALSE(found->at(0).lost);
    ASSERT_TRUE(accept_records(folder_, {.reason = "known"}, clock_));
    everything_holds();
    store_ = open();
    EXPECT_EQ(store_->seen_recipe("r")->version, 3U);
  }
}

class OldLedgerTest : public AnchoredTest {
 protected:
  /// As the first version left it: a policy, an attestation and their audit rows.
  void make_old() {
    store_.reset();
    std::filesystem::remove(base_ / "state.anchor");
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file().string() + suffix);
    auto old = Database::open(file(), {});
    ASSERT_TRUE(old);
    ASSERT_TRUE(migrate(*old, {ledger_migrations().front()}));
    ASSERT_TRUE(old->execute("INSERT INTO policy VALUES (1, '{\"groups\":[]}', '{}', 7);"
                             "INSERT INTO attestations (machine_uuid, machine_name, run_id, time, identities, satisfied, envelope) VALUES "
                             "('m', 'web01', '', 7, '{}', '[]', 'e')"));
    AuditRow row{.sequence = 1, .time = {}, .actor = "root (0)", .action = "policy.published", .subject = "policy",
                 .data = Json::object(), .previous = {}, .digest = {}, .records = {}};
    row.digest = audit_digest(row);
    ASSERT_TRUE(old->execute(fmt::format("INSERT INTO audit VALUES (1, 0, 'root (0)', 'policy.published', 'policy', '{{}}', '{}', '{}')",
                                         row.previous.hex(), row.digest.hex())));
  }
};

TEST_F(OldLedgerTest, is_sealed_as_it_is_by_whoever_opens_it_first) {
  make_old();
  EXPECT_EQ(read_gate_facts(file(), "m", {}, clock_.now()).error().code, Errc::failed) << "a reader brings nothing up to date";
  store_ = open();
  EXPECT_EQ((*store_->attestation("m"))->envelope, "e");
  EXPECT_TRUE(store_->published_policy()->has_value());
  const auto rows = store_->audit_rows(1, 10);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_FALSE(rows->at(0).records);
  EXPECT_EQ(rows->at(1).action, "records.sealed");
  EXPECT_TRUE(rows->at(1).records);
  EXPECT_EQ(anchored(), 2);
  everything_holds();
  tamper("DELETE FROM attestations");
  EXPECT_FALSE(store_->attestation("m"));
}

TEST_F(OldLedgerTest, is_not_sealed_when_its_chain_is_broken) {
  make_old();
  sql("DROP TRIGGER audit_no_update; UPDATE audit SET actor = 'nobody'; CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT "
      "RAISE(ABORT, 'audit rows cannot be changed'); END");
  const auto opened = open_store(file(), clock_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::untrusted);
  ASSERT_TRUE(accept_records(folder_, {.reason = "known"}, clock_));
  store_ = open();
  everything_holds();
}

TEST_F(OldLedgerTest, in_the_place_of_one_that_was_anchored_is_untrusted) {
  ASSERT_TRUE(store_->audit("x", "y", {}));
  const auto kept = read_file(anchor().file());
  make_old();
  ASSERT_TRUE(write_file_atomic(anchor().file(), *kept, 0600));
  const auto opened = open_store(file(), clock_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::untrusted);
  EXPECT_NE(opened.error().message.find("older than its anchor"), std::string::npos) << opened.error().message;
}

}  // namespace
}  // namespace vmpatch::ledger
