#include "contract/ledger/fixture.hpp"
#include "ledger/sqlite/migrate.hpp"

namespace vmpatch::ledger {
namespace {

class MigrationTest : public ::testing::Test {
 protected:
  void TearDown() override { ASSERT_TRUE(remove_tree(folder_)); }
  Database database(const std::string& name) {
    auto opened = Database::open(folder_ / name, {});
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
    return std::move(*opened);
  }
  static std::string schema(Database& database) {
    std::string text;
    auto statement = database.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name");
    while (statement && *statement->step()) {
      text += statement->text(0) + " " + statement->text(1) + ": " + statement->text(2) + "\n";
    }
    return text;
  }
  std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("vm-patch-migrate-" + random_uuid());
};

TEST_F(MigrationTest, fresh_schema_equals_the_one_migrated_from_every_earlier_version) {
  for (const auto* all : {&ledger_migrations(), &custody_migrations()}) {
    ASSERT_FALSE(all->empty());
    Database fresh = database("fresh" + random_uuid());
    ASSERT_TRUE(migrate(fresh, *all));
    ASSERT_NE(schema(fresh).find("audit_no_delete"), std::string::npos);
    for (std::size_t version = 0; version < all->size(); ++version) {
      Database old = database("old" + random_uuid());
      const std::vector<std::string_view> first(all->begin(), all->begin() + static_cast<std::ptrdiff_t>(version));
      ASSERT_TRUE(migrate(old, first));
      ASSERT_TRUE(migrate(old, *all));
      EXPECT_EQ(schema(old), schema(fresh)) << "from version " << version;
      EXPECT_EQ(*old.user_version(), static_cast<std::int64_t>(all->size()));
    }
  }
}

TEST_F(MigrationTest, second_migration_adds_to_the_first) {
  Database db = database("a");
  ASSERT_TRUE(migrate(db, {"CREATE TABLE a (x); INSERT INTO a VALUES (1)"}));
  ASSERT_TRUE(migrate(db, {"CREATE TABLE a (x); INSERT INTO a VALUES (1)", "ALTER TABLE a ADD COLUMN y DEFAULT 5"}));
  auto statement = db.prepare("SELECT x + y FROM a");
  ASSERT_TRUE(statement && *statement->step());
  EXPECT_EQ(statement->integer(0), 6);
}

TEST_F(MigrationTest, migration_that_fails_leaves_the_old_version) {
  Database db = database("b");
  EXPECT_FALSE(migrate(db, {"CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE a (x)"}));
  EXPECT_EQ(*db.user_version(), 0);
  EXPECT_EQ(schema(db), "");
}

TEST_F(MigrationTest, newer_schema_is_refused) {
  Database db = database("c");
  ASSERT_TRUE(migrate(db, {"CREATE TABLE a (x)", "CREATE TABLE b (x)"}));
  const auto done = migrate(db, {"CREATE TABLE a (x)"});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::refused);
  EXPECT_FALSE(check_version(db, {"CREATE TABLE a (x)"}));
}

}  // namespace
}  // namespace vmpatch::ledger
