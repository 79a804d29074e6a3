#include <fstream>

#include "contract/ledger/fixture.hpp"
#include "ledger/sqlite/database.hpp"
#include "vmpatch/ledger/facts_cache.hpp"

namespace vmpatch::ledger {
namespace {

class FactsCacheTest : public LedgerTest {
 protected:
  std::filesystem::path file() const { return folder_ / "facts.sqlite"; }
  std::unique_ptr<FactsCache> open() const {
    auto cache = FactsCache::open(file());
    EXPECT_TRUE(cache) << (cache ? "" : cache.error().message);
    return cache ? std::move(*cache) : nullptr;
  }
  CachedFacts sample() const { return {{{"vda", {1, 2}}}, R"({"os":{}})", clock_.now()}; }
};

TEST_F(FactsCacheTest, entry_comes_back_and_the_next_one_replaces_it) {
  EXPECT_FALSE(open()->find("m")->has_value());
  ASSERT_TRUE(open()->put("m", sample()));
  auto back = open()->find("m");
  ASSERT_TRUE(back && *back);
  EXPECT_EQ((*back)->identities, sample().identities);
  EXPECT_EQ((*back)->facts, sample().facts);
  EXPECT_EQ((*back)->read, sample().read);
  CachedFacts other = sample();
  other.facts = "{}";
  ASSERT_TRUE(open()->put("m", other));
  EXPECT_EQ((*open()->find("m"))->facts, "{}");
  EXPECT_FALSE(open()->find("n")->has_value());
}

TEST_F(FactsCacheTest, row_that_was_changed_by_something_else_is_no_entry) {
  ASSERT_TRUE(open()->put("m", sample()));
  {
    auto database = Database::open(file(), {});
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->execute("UPDATE facts SET facts = '{}'"));
  }
  EXPECT_FALSE(open()->find("m")->has_value());
}

TEST_F(FactsCacheTest, file_that_is_no_database_is_made_anew) {
  ASSERT_TRUE(open());
  std::filesystem::remove(file().string() + "-wal");
  std::ofstream(file(), std::ios::binary | std::ios::trunc) << std::string(8192, 'x');
  EXPECT_FALSE(open()->find("m")->has_value());
  ASSERT_TRUE(open()->put("m", sample()));
  EXPECT_TRUE(open()->find("m")->has_value());
}

}  // namespace
}  // namespace vmpatch::ledger
