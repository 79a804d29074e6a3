// How often the real vm-patch-apt is asked, and what of its answers is used again.
#include "repository/apt/resolver.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#include "integration/repository/archive_fixture.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::repository::apt {
namespace {

using test::ListedPackage;
using test::packages_list;

/// Counts the questions.
class Asked final : public Log {
 public:
  void write(Level, std::string_view line) override {
    if (line.ends_with("vm-patch-apt is asked")) ++count;
  }
  std::atomic<int> count = 0;
};

class ResolverTest : public test::ArchiveTest {
 protected:
  static std::string installed(const std::string& name, const std::string& version, const std::string& more = "") {
    return "Package: " + name + "\nStatus: install ok installed\nVersion: " + version + "\nArchitecture: amd64\nMaintainer: Nobody <nobody@example.org>\n" + more + "\n";
  }
  static std::string release(const std::string& date, const std::string& more = "") {
    return "Origin: Debian\nLabel: Debian\nSuite: stable\nCodename: bookworm\nDate: " + date + "\nArchitectures: amd64\nComponents: main\n" + more;
  }
  Snapshot snapshot_of(const std::vector<ListedPackage>& packages, const std::string& date = "Mon, 30 Nov 2026 10:00:00 UTC") const {
    Suite made = suite("bookworm", true, {{"main/binary-amd64/Packages", admit(packages_list(packages))}});
    made.components = {"main"};
    made.release = admit(release(date));
    return Snapshot{{made}};
  }
  Resolver resolver() { return Resolver(store_, KeptAnswers::open(folder_ / "state").value(), folder_ / "scratch", asked_); }
  Result<Update> resolve(const guest::ManagerFiles& guest, const Snapshot& snapshot, const Rules& rules = {}) { return resolver().resolve(guest, snapshot, rules); }
  [[nodiscard]] guest::ManagerFiles guest(const std::string& machine_id = "") const {
    guest::ManagerFiles files{"dpkg", {"amd64"}, {{"status", installed("dpkg", "1.21") + installed("app", "1.0")}}};
    if (!machine_id.empty()) files.files["machine-id"] = machine_id;
    return files;
  }
  [[nodiscard]] std::vector<fs::path> kept() const {
    std::vector<fs::path> all;
    for (const auto& entry : fs::directory_iterator(folder_ / "state/answers")) all.push_back(entry.path());
    return all;
  }
  static std::string words(const Result<Update>& update) { return update ? dump_json(to_json(*update)) : std::string(to_string(update.error().code)) + ": " + update.error().message; }

  const ListedPackage app_{"app", "amd64", "2.0", ""};
  const ListedPackage phased_{"app", "amd64", "2.0", "Phased-Update-Percentage: 50\n"};
  const Rules all_{Mode::all, {}};
  Asked asked_;
};

TEST_F(ResolverTest, second_night_with_the_same_inputs_asks_nothing_and_says_the_same) {
  const Snapshot snapshot = snapshot_of({app_});
  const auto first = resolve(guest(), snapshot);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->changes.size(), 1U);
  EXPECT_EQ(asked_.count, 1);
  // Without its list nobody could answer; what it offers is known.
  fs::remove(store_.files() / snapshot.suites[0].indexes.at("main/binary-amd64/Packages").sha256.hex());
  EXPECT_EQ(words(resolve(guest(), snapshot)), words(first));
  EXPECT_EQ(asked_.count, 1);
}

TEST_F(ResolverTest, list_that_was_signed_anew_asks_nothing_and_the_update_is_of_the_new_snapshot) {
  const auto first = resolve(guest(), snapshot_of({app_}));
  const Snapshot next = snapshot_of({app_}, "Tue, 01 Dec 2026 10:00:00 UTC");
  const auto second = resolve(guest(), next);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(asked_.count, 1);
  EXPECT_EQ(second->snapshot, next.digest());
  EXPECT_NE(second->snapshot, first->snapshot);
}

TEST_F(ResolverTest, other_lists_rules_and_guests_ask_again) {
  ASSERT_TRUE(resolve(guest(), snapshot_of({app_})));
  EXPECT_EQ(resolve(guest(), snapshot_of({{"app", "amd64", "3.0", ""}}))->changes[0].to, "3.0");
  EXPECT_EQ(asked_.count, 2);
  EXPECT_TRUE(resolve(guest(), snapshot_of({app_}), {Mode::security, {"app"}})->changes.empty());
  EXPECT_EQ(asked_.count, 3);
  EXPECT_EQ(resolve(guest(), snapshot_of({app_}), all_)->mode, Mode::all);
  EXPECT_EQ(asked_.count, 4);
  guest::ManagerFiles held = guest();
  held.files["status"] = installed("dpkg", "1.21") + "Package: app\nStatus: hold ok installed\nVersion: 1.0\nArchitecture: amd64\nMaintainer: N <n@example.org>\n\n";
  EXPECT_TRUE(resolve(held, snapshot_of({app_}))->changes.empty());
  EXPECT_EQ(asked_.count, 5);
}

TEST_F(ResolverTest, machines_that_differ_in_their_id_alone_share_an_answer_where_no_phase_counts) {
  const Snapshot snapshot = snapshot_of({app_});
  for (const char* id : {"", "0123456789abcdef0123456789abcdef\n", "fedcba9876543210fedcba9876543210\n", "uninitialized\n"}) {
    EXPECT_EQ(resolve(guest(id), snapshot, all_)->changes.size(), 1U) << id;
  }
  EXPECT_EQ(asked_.count, 1);
  // A security update waits for no phase.
  for (const char* id : {"0123456789abcdef0123456789abcdef\n", "fedcba9876543210fedcba9876543210\n"}) ASSERT_TRUE(resolve(guest(id), snapshot_of({phased_})));
  EXPECT_EQ(asked_.count, 2);
}

TEST_F(ResolverTest, where_a_phase_counts_each_id_has_an_answer_of_its_own) {
  const Snapshot snapshot = snapshot_of({phased_});
  std::size_t taken = 0, machines = 0;
  for (const char first : std::string("0123456789abcdef")) {
    const auto update = resolve(guest(std::string(32, first) + "\n"), snapshot, all_);
    ASSERT_TRUE(update) << update.error().message;
    taken += update->changes.size();
    ++machines;
    EXPECT_EQ(asked_.count, static_cast<int>(machines) + 1);
  }
  EXPECT_GT(taken, 0U);
  EXPECT_LT(taken, machines);
  const int before = asked_.count;
  EXPECT_EQ(resolve(guest(), snapshot, all_)->changes.size(), 1U);  // one without an id takes all
  EXPECT_EQ(asked_.count, before + 1);
  for (const char first : std::string("0123456789abcdef")) ASSERT_TRUE(resolve(guest(std::string(32, first) + "\n"), snapshot, all_));
  EXPECT_EQ(asked_.count, before + 1);
}

TEST_F(ResolverTest, phase_that_the_guests_settings_decide_or_of_a_package_that_is_not_installed_counts_for_nobody) {
  guest::ManagerFiles always = guest("0123456789abcdef0123456789abcdef\n");
  always.files["apt.conf.d/50phases"] = "APT::Get::Always-Include-Phased-Updates \"true\";\n";
  ASSERT_TRUE(resolve(always, snapshot_of({phased_}), all_));
  EXPECT_EQ(asked_.count, 1);
  ASSERT_TRUE(resolve(guest("0123456789abcdef0123456789abcdef\n"), snapshot_of({app_, {"other", "amd64", "1", "Phased-Update-Percentage: 1\n"}}), all_));
  EXPECT_EQ(asked_.count, 2);
}

TEST_F(ResolverTest, like_machines_at_the_same_time_wait_for_one_answer) {
  const Snapshot snapshot = snapshot_of({app_});
  Resolver shared = resolver();
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const auto update = shared.resolve(guest(std::to_string(i) + "\n"), snapshot, {});
      if (update && update->changes.size() == 1) ++good;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 8);
  EXPECT_EQ(asked_.count, 1);
}

TEST_F(ResolverTest, what_failed_is_not_kept_and_in_one_refresh_not_asked_again) {
  guest::ManagerFiles broken = guest();
  broken.files["status"] += installed("needy", "1", "Depends: nowhere\n");
  const Snapshot snapshot = snapshot_of({app_});
  Resolver shared = resolver();
  const std::string first = words(shared.resolve(broken, snapshot, {}));
  EXPECT_TRUE(first.starts_with("failed: ")) << first;
  EXPECT_EQ(words(shared.resolve(broken, snapshot, {})), first);
  EXPECT_EQ(asked_.count, 1);
  EXPECT_TRUE(kept().empty());
  EXPECT_EQ(words(resolve(broken, snapshot)), first);
  EXPECT_EQ(asked_.count, 2);
}

TEST_F(ResolverTest, kept_answer_is_checked_like_a_new_one) {
  const Snapshot snapshot = snapshot_of({app_});
  const auto first = resolve(guest(), snapshot);
  ASSERT_EQ(kept().size(), 1U);
  const Digest key = Digest::parse(kept()[0].filename().string()).value();
  const KeptAnswers answers = KeptAnswers::open(folder_ / "state").value();
  const std::string honest = answers.find(key).value();
  std::string lie = honest;
  lie.replace(lie.find(app_.sha256().hex()), 64, sha256("another").hex());
  for (const std::string& text : {lie, std::string("{}"), std::string(), std::string("[]")}) {
    const int before = asked_.count;
    ASSERT_TRUE(answers.keep(key, text));
    EXPECT_EQ(words(resolve(guest(), snapshot)), words(first));
    EXPECT_EQ(asked_.count, before + 1);
    EXPECT_EQ(answers.find(key).value(), honest);
  }
}

TEST_F(ResolverTest, architecture_without_a_list_is_not_found_and_nobody_is_asked) {
  guest::ManagerFiles foreign = guest();
  foreign.files["status"] += "Package: strange\nStatus: install ok installed\nVersion: 1\nArchitecture: armhf\n\n";
  EXPECT_TRUE(words(resolve(foreign, snapshot_of({app_}))).starts_with("not_found: no repository has lists for armhf, of which strange is installed"));
  EXPECT_EQ(asked_.count, 0);
}

}  // namespace
}  // namespace vmpatch::repository::apt
