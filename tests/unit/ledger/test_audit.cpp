#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "ledger/audit.hpp"

namespace vmpatch::ledger {
namespace {

AuditRow example() {
  AuditRow row;
  row.sequence = 7;
  row.time = *parse_time("2026-11-01T10:20:30Z");
  row.actor = "root (0)";
  row.action = "run.committing";
  row.subject = "abc";
  row.data = {{"from", "verified"}, {"n", 1}};
  row.digest = audit_digest(row);
  return row;
}

TEST(AuditRow, canonical_bytes_are_the_documented_format) {
  const std::string zeros(64, '0');
  EXPECT_EQ(canonical_bytes(example()), "vm-patch/audit/v1\n1:7,19:1793528430000000000,8:root (0),14:run.committing,3:abc,"
                                        "25:{\"from\":\"verified\",\"n\":1},64:" + zeros + ",");
}

TEST(AuditRow, digest_over_the_records_is_the_last_field_of_the_second_format) {
  AuditRow row = example();
  row.records = sha256("all");
  const std::string zeros(64, '0');
  EXPECT_EQ(canonical_bytes(row), "vm-patch/audit/v2\n1:7,19:1793528430000000000,8:root (0),14:run.committing,3:abc,"
                                  "25:{\"from\":\"verified\",\"n\":1},64:" + zeros + ",64:" + sha256("all").hex() + ",");
}

TEST(AuditRow, row_without_a_digest_over_the_records_may_not_follow_one_that_has_it) {
  AuditRow first = example();
  first.records = sha256("all");
  first.digest = audit_digest(first);
  AuditRow next = example();
  next.sequence = 8;
  next.previous = first.digest;
  next.digest = audit_digest(next);
  ASSERT_FALSE(check_audit_row(next, &first));
  EXPECT_EQ(check_audit_row(next, &first).error().code, Errc::untrusted);
  next.records = sha256("other");
  next.digest = audit_digest(next);
  EXPECT_TRUE(check_audit_row(next, &first));
}

TEST(AuditRow, every_field_changes_the_digest) {
  const std::vector<std::function<void(AuditRow&)>> changes{
      [](AuditRow& row) { row.sequence = 8; },           [](AuditRow& row) { row.time += std::chrono::nanoseconds(1); },
      [](AuditRow& row) { row.actor = "root (1)"; },     [](AuditRow& row) { row.action = "run.committed"; },
      [](AuditRow& row) { row.subject = "abd"; },        [](AuditRow& row) { row.data["n"] = 2; },
      [](AuditRow& row) { row.previous.bytes[31] = 1; }, [](AuditRow& row) { row.records = Digest{}; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    AuditRow row = example();
    changes[i](row);
    EXPECT_NE(audit_digest(row), example().digest) << "change " << i;
  }
}

TEST(AuditRow, text_cannot_move_from_one_field_to_the_next) {
  AuditRow a = example();
  AuditRow b = example();
  a.action = "xy";
  a.subject = "z";
  b.action = "x";
  b.subject = "yz";
  EXPECT_NE(audit_digest(a), audit_digest(b));
}

TEST(AuditRow, first_row_must_be_number_one_after_nothing) {
  AuditRow row = example();
  EXPECT_FALSE(check_audit_row(row, nullptr));
  row.sequence = 1;
  row.digest = audit_digest(row);
  EXPECT_TRUE(check_audit_row(row, nullptr));
  row.previous.bytes[0] = 1;
  row.digest = audit_digest(row);
  EXPECT_FALSE(check_audit_row(row, nullptr));
}

TEST(AuditRow, gap_and_foreign_predecessor_are_found) {
  const AuditRow first = example();
  AuditRow next = example();
  next.sequence = 8;
  next.previous = first.digest;
  next.digest = audit_digest(next);
  EXPECT_TRUE(check_audit_row(next, &first));

  AuditRow gap = next;
  gap.sequence = 9;
  gap.digest = audit_digest(gap);
  ASSERT_FALSE(check_audit_row(gap, &first));
  EXPECT_EQ(check_audit_row(gap, &first).error().message, "audit row 8 is missing: the next one is row 9");

  AuditRow foreign = next;
  foreign.previous = Digest{};
  foreign.digest = audit_digest(foreign);
  ASSERT_FALSE(check_audit_row(foreign, &first));
  EXPECT_EQ(check_audit_row(foreign, &first).error().code, Errc::untrusted);
}

TEST(Actor, root_names_who_called_sudo) {
  ::setenv("SUDO_USER", "alice\n", 1);
  ::setenv("SUDO_UID", "1000", 1);
  const std::string who = actor();
  ::unsetenv("SUDO_USER");
  ::unsetenv("SUDO_UID");
  // Anybody can set these two; only root's are believed.
  if (::getuid() == 0) {
    EXPECT_EQ(who, "alice\\n (1000) as root (0)");
    EXPECT_EQ(actor(), "root (0)");
  } else {
    EXPECT_EQ(who.find("alice"), std::string::npos);
  }
}

}  // namespace
}  // namespace vmpatch::ledger
