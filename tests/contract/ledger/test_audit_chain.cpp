#include "contract/ledger/fixture.hpp"

namespace vmpatch::ledger {
namespace {

class AuditChainTest : public LedgerTest {
 protected:
  void SetUp() override {
    LedgerTest::SetUp();
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(store_->audit("test.row", "x", {{"i", i}}));
  }
  std::string broken() {
    const auto verified = store_->verify_audit();
    EXPECT_FALSE(verified);
    if (verified) return "";
    EXPECT_EQ(verified.error().code, Errc::untrusted);
    return verified.error().message;
  }
};

TEST_F(AuditChainTest, untouched_chain_verifies) { EXPECT_EQ(*store_->verify_audit(), 5); }

TEST_F(AuditChainTest, update_and_delete_are_aborted) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, "UPDATE audit SET actor = 'x'", nullptr, nullptr, nullptr), SQLITE_CONSTRAINT);
  EXPECT_EQ(sqlite3_exec(db, "DELETE FROM audit", nullptr, nullptr, nullptr), SQLITE_CONSTRAINT);
  EXPECT_STREQ(sqlite3_errmsg(db), "audit rows cannot be deleted");
  sqlite3_close(db);
}

TEST_F(AuditChainTest, changed_field_is_found_and_its_row_named) {
  tamper("UPDATE audit SET actor = 'nobody' WHERE sequence = 3");
  EXPECT_NE(broken().find("row 3"), std::string::npos);
}

TEST_F(AuditChainTest, json_that_only_looks_different_is_found) {
  tamper("UPDATE audit SET data = '{ \"i\":1}' WHERE sequence = 2");
  EXPECT_NE(broken().find("row 2"), std::string::npos);
}

TEST_F(AuditChainTest, json_that_is_none_any_more_is_found) {
  tamper("UPDATE audit SET data = '{' WHERE sequence = 2");
  EXPECT_NE(broken().find("row 2"), std::string::npos);
}

TEST_F(AuditChainTest, row_cut_out_of_the_middle_is_found) {
  tamper("DELETE FROM audit WHERE sequence = 3");
  EXPECT_NE(broken().find("row 3"), std::string::npos);
}

TEST_F(AuditChainTest, missing_end_is_found) {
  tamper("DELETE FROM audit WHERE sequence >= 4");
  EXPECT_NE(broken().find("row 4"), std::string::npos);
}

TEST_F(AuditChainTest, swapped_rows_are_found) {
  tamper("UPDATE audit SET sequence = 99 WHERE sequence = 2; UPDATE audit SET sequence = 2 WHERE sequence = 3; "
         "UPDATE audit SET sequence = 3 WHERE sequence = 99");
  EXPECT_NE(broken().find("row 2"), std::string::npos);
}

TEST_F(AuditChainTest, text_that_is_not_utf8_still_verifies) {
  ASSERT_TRUE(store_->audit("test.row", "\xff\xfe", {{"name", "\xff"}}));
  EXPECT_EQ(*store_->verify_audit(), 6);
}

}  // namespace
}  // namespace vmpatch::ledger
