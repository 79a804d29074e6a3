#include <gtest/gtest.h>

#include "repository/debian/judge.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::repository::debian {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

Time at(const char* text) { return parse_time(text).value(); }

const Time now = at("2026-12-01T12:00:00Z");
const Digest signed_file = sha256("InRelease");

Source source() {
  Source made;
  made.name = "debian";
  made.suites = {"bookworm"};
  return made;
}

Release release() {
  Release made;
  made.origin = made.label = "Debian";
  made.suite = "stable";
  made.codename = "bookworm";
  made.date = at("2026-11-30T00:00:00Z");
  made.valid_until = at("2026-12-07T00:00:00Z");
  return made;
}

Seen seen() { return {"bookworm", "Debian", "Debian", at("2026-11-30T00:00:00Z")}; }

/// What a case is, and which attack is told; "" = it is accepted.
struct Case {
  std::string name, attack;
  Source from = source();
  std::string suite = "bookworm";
  Release made = release();
  std::optional<Seen> before = seen();
};

template <class Change>
Case changed(std::string name, std::string attack, Change change) {
  Case made{std::move(name), std::move(attack)};
  change(made);
  return made;
}

std::vector<Case> cases() {
  return {
      {"as before", ""},
      changed("first time", "", [](Case& one) { one.before.reset(); }),
      changed("by its codename", "", [](Case& one) { one.suite = "bookworm"; }),
      changed("by its suite", "", [](Case& one) { one.suite = "stable"; }),
      changed("stable became oldstable", "", [](Case& one) { one.made.suite = "oldstable"; }),
      changed("stable was asked for and became oldstable", "another archive: it is oldstable (codename bookworm), not stable",
              [](Case& one) {
                one.suite = "stable";
                one.made.suite = "oldstable";
              }),
      changed("stable is a new release", "another archive: its codename was 'bookworm' and is 'trixie'",
              [](Case& one) {
                one.suite = "stable";
                one.made.codename = "trixie";
              }),
      changed("another suite", "another archive: it is testing (codename trixie), not bookworm",
              [](Case& one) {
                one.made.suite = "testing";
                one.made.codename = "trixie";
              }),
      changed("no names", "another archive: it is  (codename ), not bookworm",
              [](Case& one) { one.made.suite = one.made.codename = ""; }),
      changed("names with control characters", "another archive: it is a\\x1B[2J (codename trixie), not bookworm",
              [](Case& one) {
                one.made.suite = "a\x1B[2J";
                one.made.codename = "trixie";
              }),
      changed("security updates of old", "",
              [](Case& one) {
                one.suite = "bookworm/updates";
              }),
      changed("security updates of another release", "another archive: it is stable (codename bookworm), not buster/updates",
              [](Case& one) { one.suite = "buster/updates"; }),
      changed("no first part", "another archive: ",
              [](Case& one) {
                one.suite = "/updates";
                one.made.suite = one.made.codename = "";
              }),
      changed("another origin", "another archive: its origin was 'Debian' and is 'Else'", [](Case& one) { one.made.origin = "Else"; }),
      changed("another label", "another archive: its label was 'Debian' and is 'Debian-Security'", [](Case& one) { one.made.label = "Debian-Security"; }),
      changed("its label is gone", "another archive: its label was 'Debian' and is ''", [](Case& one) { one.made.label = ""; }),
      changed("the same date", "", [](Case& one) { one.made.date = one.before->date; }),
      changed("a second older", "rollback: it was made 2026-11-29T23:59:59Z, before the one of 2026-11-30T00:00:00Z that was seen",
              [](Case& one) { one.made.date -= seconds(1); }),
      changed("older, but never seen", "",
              [](Case& one) {
                one.made.date -= hours(24);
                one.before.reset();
              }),
      changed("expires this second", "", [](Case& one) { one.made.valid_until = now; }),
      changed("expired", "freeze: it expired 2026-12-01T11:59:59Z, ", [](Case& one) { one.made.valid_until = now - seconds(1); }),
      changed("expired, and never seen", "freeze: it expired ",
              [](Case& one) {
                one.made.valid_until = now - hours(24);
                one.before.reset();
              }),
      changed("never expires", "", [](Case& one) { one.made.valid_until.reset(); }),
      changed("never expires, and is of the last century", "",
              [](Case& one) {
                one.made.valid_until.reset();
                one.made.date = at("1999-12-31T00:00:00Z");
                one.before.reset();
              }),
      changed("as old as max_age permits", "", [](Case& one) { one.from.max_age = std::chrono::duration_cast<Seconds>(now - one.made.date); }),
      changed("older than max_age permits", "freeze: it was made 2026-11-30T00:00:00Z, 1d12h ago, and `max_age` permits 1d11h",
              [](Case& one) { one.from.max_age = hours(35); }),
      changed("expired within max_age", "freeze: it expired ",
              [](Case& one) {
                one.from.max_age = hours(1000);
                one.made.valid_until = now - hours(1);
              }),
      changed("an hour ahead", "", [](Case& one) { one.made.date = now + hours(1); }),
      changed("more than an hour ahead", "clock: it was made 2026-12-01T13:00:01Z, and now it is 2026-12-01T12:00:00Z",
              [](Case& one) { one.made.date = now + hours(1) + seconds(1); }),
      changed("more than an hour ahead, with a pin", "clock: ",
              [](Case& one) {
                one.made.date = now + hours(2);
                one.from.snapshot = signed_file;
              }),
      changed("the pinned digest", "", [](Case& one) { one.from.snapshot = signed_file; }),
      changed("the pinned digest, expired, older than max_age and than what was seen", "",
              [](Case& one) {
                one.from.snapshot = signed_file;
                one.from.max_age = hours(1);
                one.made.date = at("2026-01-01");
                one.made.valid_until = at("2026-01-08");
              }),
      changed("another digest than the pinned one", "snapshot: InRelease has the SHA-256 ", [](Case& one) { one.from.snapshot = sha256("another"); }),
      changed("another suite of the pinned digest", "another archive: ",
              [](Case& one) {
                one.from.snapshot = signed_file;
                one.suite = "trixie";
              }),
      changed("made at the end of the pinned day", "",
              [](Case& one) {
                one.from.snapshot = at("2026-12-01");
                one.made.date = at("2026-11-30T23:59:59Z");
              }),
      changed("made long before the pinned day, expired", "",
              [](Case& one) {
                one.from.snapshot = at("2026-12-01");
                one.made.date = at("2025-01-01");
                one.made.valid_until = at("2025-01-08");
              }),
      changed("made after the pinned day",
              "snapshot: it was made 2026-12-01T00:00:00Z, and `snapshot:` demands one from before 2026-12-01T00:00:00Z",
              [](Case& one) {
                one.from.snapshot = at("2026-12-01");
                one.made.date = at("2026-12-01T00:00:00Z");
              }),
  };
}

TEST(Judge, each_attack_is_refused_by_its_name_and_honest_states_are_accepted) {
  for (const Case& one : cases()) {
    const auto verdict = judge(one.from, one.suite, one.made, signed_file, one.before, now);
    if (one.attack.empty()) {
      EXPECT_TRUE(verdict) << one.name << ": " << verdict.error().message;
      continue;
    }
    ASSERT_FALSE(verdict) << one.name;
    EXPECT_EQ(verdict.error().code, Errc::untrusted) << one.name;
    EXPECT_TRUE(verdict.error().message.starts_with(one.attack)) << one.name << ": " << verdict.error().message;
  }
}

TEST(Judge, refusal_of_a_change_says_the_way_out) {
  Release other = release();
  other.label = "Other";
  const auto verdict = judge(source(), "bookworm", other, signed_file, seen(), now);
  ASSERT_FALSE(verdict);
  EXPECT_NE(verdict.error().message.find("vm-patch repository forget"), std::string::npos);
}

TEST(Judge, pinned_then_unpinned_counts_what_was_seen_before) {
  Source pinned = source();
  pinned.snapshot = signed_file;
  Release old = release();
  old.date = at("2026-01-01");
  ASSERT_TRUE(judge(pinned, "bookworm", old, signed_file, seen(), now));
  const auto verdict = judge(source(), "bookworm", old, signed_file, seen(), now);
  ASSERT_FALSE(verdict);
  EXPECT_TRUE(verdict.error().message.starts_with("rollback: "));
}

TEST(JudgeAge, what_was_accepted_expires_unless_it_is_pinned) {
  Source one = source();
  const Time date = now - hours(48);
  EXPECT_TRUE(judge_age(one, date, std::nullopt, now));
  EXPECT_TRUE(judge_age(one, date, now, now));
  EXPECT_EQ(judge_age(one, date, now - seconds(1), now).error().code, Errc::untrusted);
  one.max_age = hours(48);
  EXPECT_TRUE(judge_age(one, date, std::nullopt, now));
  EXPECT_TRUE(judge_age(one, date, std::nullopt, now).has_value());
  EXPECT_TRUE(judge_age(one, date, std::nullopt, now + seconds(1)).error().message.starts_with("freeze: "));
  one.snapshot = at("2026-11-30");
  EXPECT_TRUE(judge_age(one, date, now - seconds(1), now + hours(1000)));
}

/// As accept made it.
Suite kept(const Source& source) {
  Suite suite;
  suite.date = at("2026-11-30T00:00:00Z");
  suite.valid_until = at("2026-12-07T00:00:00Z");
  suite.fetched = at("2026-12-01T06:00:00Z");
  suite.configuration = configuration_of(source).value();
  return suite;
}

TEST(JudgeKept, what_was_accepted_by_the_same_configuration_is_used_until_it_expires) {
  const Suite suite = kept(source());
  EXPECT_TRUE(judge_kept(source(), suite, now));
  const auto late = judge_kept(source(), suite, at("2026-12-07T00:00:01Z"));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::untrusted);
  EXPECT_EQ(late.error().message.substr(0, 7), "freeze:");
}

TEST(JudgeKept, what_another_configuration_accepted_is_not_used) {
  const Suite suite = kept(source());
  std::vector<Source> others(6, source());
  others[0].uris = {"https://example.org/"};
  others[1].suites = {"trixie"};
  others[2].components = {"main"};
  others[3].architectures = {"arm64"};
  others[4].security = true;
  others[5].snapshot = signed_file;
  for (const Source& other : others) {
    const auto judged = judge_kept(other, suite, now);
    ASSERT_FALSE(judged);
    EXPECT_EQ(judged.error().code, Errc::untrusted);
    EXPECT_NE(judged.error().message.find("vm-patch repository refresh"), std::string::npos);
  }
}

TEST(JudgeKept, a_clock_that_was_set_back_is_told) {
  const Suite suite = kept(source());
  const auto judged = judge_kept(source(), suite, at("2026-11-01T00:00:00Z"));
  ASSERT_FALSE(judged);
  EXPECT_EQ(judged.error().message.substr(0, 6), "clock:");
}

}  // namespace
}  // namespace vmpatch::repository::debian
