#include <algorithm>
#include <random>

#include "contract/ledger/fixture.hpp"
#include "ledger/sqlite/seal_tree.hpp"

namespace vmpatch::ledger {
namespace {

class SealTreeTest : public ::testing::Test {
 protected:
  static Database make() {
    auto database = Database::in_memory();
    EXPECT_TRUE(database->execute("CREATE TABLE seals (bucket INTEGER NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL, PRIMARY KEY "
                                  "(bucket, key)) STRICT, WITHOUT ROWID; CREATE TABLE seal_nodes (id INTEGER PRIMARY KEY, children BLOB "
                                  "NOT NULL) STRICT"));
    return std::move(*database);
  }
  static SealChanges one(const std::string& group, const std::string& key, const std::string& value) {
    return {{key, {group, sha256(value)}}};
  }
  static SealChanges none(const std::string& group, const std::string& key) { return {{key, {group, std::nullopt}}}; }

  void SetUp() override { tree_.expect(SealTree::empty()); }
  /// As another process would see it.
  Result<void> read(const std::string& group, const Digest& root) {
    SealTree other(database_);
    other.expect(root);
    VMPATCH_CHECK(other.of_group(group));
    return {};
  }

  Database database_ = make();
  SealTree tree_{database_};
};

TEST_F(SealTreeTest, seals_come_back_by_group_and_all_together) {
  ASSERT_TRUE(tree_.apply({{"a/1", {"a", sha256("x")}}, {"a/2", {"a", sha256("y")}}, {"b/1", {"b", sha256("z")}}}));
  SealTree other(database_);
  other.expect(tree_.expected());
  const auto group = other.of_group("a");
  ASSERT_TRUE(group);
  EXPECT_EQ((*group)->at("a/1"), sha256("x"));
  EXPECT_EQ((*group)->count("b/1"), 0U);
  EXPECT_EQ(other.all()->size(), 3U);
  EXPECT_TRUE((*other.of_group("nothing of it"))->empty());
}

TEST_F(SealTreeTest, root_is_that_of_the_content_however_it_came_there) {
  std::vector<std::pair<std::string, std::string>> all;
  for (int i = 0; i < 500; ++i) all.emplace_back(fmt::format("group-{}", i % 90), fmt::format("key-{}", i));
  SealChanges together;
  for (const auto& [group, key] : all) together[key] = {group, sha256(key)};
  ASSERT_TRUE(tree_.apply(together));

  Database second = make();
  SealTree other(second);
  other.expect(SealTree::empty());
  std::mt19937 random(7);
  std::ranges::shuffle(all, random);
  for (const auto& [group, key] : all) {
    ASSERT_TRUE(other.apply(one(group, key, "something else first")));
    ASSERT_TRUE(other.apply(one(group, key, key)));
    ASSERT_TRUE(other.apply(one(group, "x" + key, key)));
    ASSERT_TRUE(other.apply(none(group, "x" + key)));
  }
  EXPECT_EQ(other.expected(), tree_.expected());
  ASSERT_TRUE(other.apply(one("group-1", "key-1", "other")));
  EXPECT_NE(other.expected(), tree_.expected());
  ASSERT_TRUE(other.apply(none("group-1", "key-1")));
  EXPECT_NE(other.expected(), tree_.expected());
}

TEST_F(SealTreeTest, every_change_of_a_seal_or_a_node_is_seen_by_who_asks_there) {
  ASSERT_TRUE(tree_.apply({{"a/1", {"a", sha256("x")}}, {"a/2", {"a", sha256("y")}}, {"b/1", {"b", sha256("z")}}}));
  const Digest root = tree_.expected();
  for (const char* change : {"DELETE FROM seals WHERE key = 'a/2'", "UPDATE seals SET digest = zeroblob(32) WHERE key = 'a/1'",
                             "INSERT INTO seals SELECT bucket, 'a/3', digest FROM seals WHERE key = 'a/1'",
                             "UPDATE seals SET key = 'a/0' WHERE key = 'a/1'", "UPDATE seals SET digest = x'00' WHERE key = 'a/1'",
                             "DELETE FROM seal_nodes WHERE id > 0", "UPDATE seal_nodes SET children = zeroblob(2048) WHERE id = 0",
                             "UPDATE seal_nodes SET children = zeroblob(7)", "DELETE FROM seal_nodes"}) {
    ASSERT_TRUE(read("a", root)) << change;
    ASSERT_TRUE(database_.execute("SAVEPOINT before"));
    ASSERT_TRUE(database_.execute(change));
    const auto seen = read("a", root);
    ASSERT_FALSE(seen) << change;
    EXPECT_EQ(seen.error().code, Errc::untrusted);
    SealTree other(database_);
    other.expect(root);
    EXPECT_FALSE(other.all()) << change;
    EXPECT_FALSE(other.apply(one("a", "a/9", "x"))) << "nothing is built on it: " << change;
    ASSERT_TRUE(database_.execute("ROLLBACK TO before; RELEASE before"));
  }
}

TEST_F(SealTreeTest, tree_of_another_moment_does_not_lead_to_the_root) {
  ASSERT_TRUE(tree_.apply(one("a", "a/1", "x")));
  const Digest before = tree_.expected();
  ASSERT_TRUE(tree_.apply(one("a", "a/1", "y")));
  EXPECT_FALSE(read("a", before));
  EXPECT_TRUE(read("a", tree_.expected()));
}

}  // namespace
}  // namespace vmpatch::ledger
