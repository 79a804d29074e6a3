#include "contract/ledger/fixture.hpp"
#include "ledger/sqlite/migrate.hpp"
#include "ledger/sqlite/sealed_database.hpp"

namespace vmpatch::ledger {
namespace {

class MigrationTest : public ::testing::Test {
 protected:
  void TearDown() override { ASSERT_TRUE(remove_tree(base_)); }
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
  std::filesystem::path base_ = std::filesystem::temp_directory_path() / ("vm-patch-migrate-" + random_uuid());
  std::filesystem::path folder_ = base_ / "state";
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

/// A ledger as the first schema had it: an apply, one that was rolled back, one whose rollback was interrupted, one that failed.
constexpr std::string_view rows_of_version_1 = R"sql(
INSERT INTO runs (id, kind, machine_uuid, machine_name, host, recipe_id, recipe_version, recipe_digest, state, holder_pid,
                  holder_start_time, holder_boot_id, recovery_attempts, created, updated, error, detail) VALUES
  ('a', 'apply', 'm-a', 'web01', 'h', 'r', 1, '00', 'attested', 1, 1, 'b', 0, 10, 20, '', '{"disks":[]}'),
  ('b', 'apply', 'm-b', 'web02', 'h', 'r', 1, '00', 'attested', 1, 1, 'b', 0, 11, 21, '', '{}'),
  ('b-back', 'rollback', 'm-b', 'web02', 'h', 'r', 1, '00', 'attested', 1, 1, 'b', 0, 12, 22, '', '{"of":"b"}'),
  ('c', 'apply', 'm-c', 'web03', 'h', 'r', 1, '00', 'attested', 1, 1, 'b', 0, 13, 23, '', '{}'),
  ('c-failed', 'rollback', 'm-c', 'web03', 'h', 'r', 1, '00', 'failed', 1, 1, 'b', 0, 14, 24, 'no', '{"of":"c"}'),
  ('c-back', 'rollback', 'm-c', 'web03', 'h', 'r', 1, '00', 'committing', 1, 1, 'b', 0, 15, 25, '', '{"of":"c"}'),
  ('d', 'apply', 'm-d', 'web04', 'h', 'r', 1, '00', 'failed', 1, 1, 'b', 0, 16, 26, 'no', '{}'),
  ('e', 'apply', 'm-e', 'web05', 'h', 'r', 1, '00', 'committing', 1, 1, 'b', 0, 17, 27, '', 'no JSON');
)sql";

TEST_F(MigrationTest, undo_images_of_version_1_are_in_the_table_with_their_states) {
  const auto& all = ledger_migrations();
  Database db = database("old");
  ASSERT_TRUE(migrate(db, {all.front()}));
  ASSERT_TRUE(db.execute(std::string(rows_of_version_1)));
  ASSERT_TRUE(migrate(db, all));
  auto statement = db.prepare("SELECT run_id || ' ' || machine_name || ' ' || created || ' ' || state || ' ' || used_by FROM undo ORDER BY run_id");
  std::vector<std::string> undos;
  while (*statement->step()) undos.push_back(statement->text(0));
  EXPECT_EQ(undos, (std::vector<std::string>{"a web01 20 kept ", "b web02 21 spent b-back", "c web03 23 in_use c-back"}));
}

TEST_F(MigrationTest, lease_of_version_1_still_holds_and_is_recovered_without_disks) {
  const auto& all = ledger_migrations();
  {
    Database db = database("ledger.sqlite");
    ASSERT_TRUE(migrate(db, {all.front()}));
    ASSERT_TRUE(db.execute(std::string(rows_of_version_1) + "UPDATE runs SET detail = '{}' WHERE id = 'e'"));
  }
  const FixedClock clock{*parse_time("2026-11-01T10:00:00Z")};
  const auto store = open_store(folder_ / "ledger.sqlite", clock);
  ASSERT_TRUE(store) << store.error().message;
  const auto unfinished = (*store)->runs({.unfinished_only = true});
  ASSERT_TRUE(unfinished) << unfinished.error().message;
  ASSERT_EQ(unfinished->size(), 2U);
  EXPECT_TRUE(unfinished->at(0).disks.empty());
  LedgerRun run = unfinished->at(0);
  EXPECT_EQ(run.id, "e");
  run.id = random_uuid();
  run.state = RunState::planned;
  ASSERT_TRUE((*store)->create_run(run));
  EXPECT_EQ((*store)->lease(run.id, *this_holder(), {"disk"}).error().code, Errc::recovery_needed);
  ASSERT_TRUE((*store)->advance("c-back", RunState::committing, RunState::discarded, {}, "the way back"));
  EXPECT_EQ((*store)->undos({.run_id = "c"})->at(0).state, UndoState::kept);
}

/// A new migration needs the new digest in record_kinds.cpp, which this says; readers take no other schema.
TEST_F(MigrationTest, schema_that_readers_ask_for_is_the_one_that_the_migrations_make) {
  for (const RecordSchema* schema : {&ledger_schema(), &custody_schema()}) {
    Database fresh = database("digest" + random_uuid());
    ASSERT_TRUE(migrate(fresh, schema->migrations()));
    EXPECT_EQ(sha256(*schema_text(fresh)).hex(), schema->schema_sha256) << schema->chain;
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
