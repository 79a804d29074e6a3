#include "engine/rollback_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/written_digests.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ledger::Run apply_run(const std::string& id) {
  ledger::Run run;
  run.id = id;
  run.kind = "apply";
  run.detail = Json::object();
  return run;
}

ledger::Run rollback_of(const std::string& of, const std::string& id) {
  auto run = apply_run(id);
  run.kind = "rollback";
  run.detail = {{"of", of}};
  return run;
}

TEST(LaterRuns, the_newest_run_has_none) { EXPECT_THAT(later_runs({apply_run("a"), apply_run("b")}, "b"), IsEmpty()); }

TEST(LaterRuns, later_ones_come_newest_first) {
  EXPECT_THAT(later_runs({apply_run("a"), apply_run("b"), apply_run("c")}, "a"), ElementsAre("c", "b"));
}

TEST(LaterRuns, a_run_that_was_rolled_back_does_not_count) {
  EXPECT_THAT(later_runs({apply_run("a"), apply_run("b"), rollback_of("b", "r")}, "a"), IsEmpty());
}

TEST(LaterRuns, a_rollback_of_a_rollback_brings_the_run_back) {
  const std::vector<ledger::Run> runs{apply_run("a"), apply_run("b"), rollback_of("b", "r"), rollback_of("r", "rr")};
  EXPECT_THAT(later_runs(runs, "a"), ElementsAre("rr"));
  EXPECT_THAT(later_runs(runs, "rr"), IsEmpty());
}

TEST(LaterRuns, only_the_last_one_can_be_undone_by_its_rollback) {
  // A forged or damaged order: the rollback of b does not undo c.
  EXPECT_THAT(later_runs({apply_run("a"), apply_run("b"), apply_run("c"), rollback_of("b", "r")}, "a"), ElementsAre("r", "c", "b"));
}

TEST(WrittenDigests, text_and_back_is_the_same) {
  const std::vector<image::PieceDigest> digests{{{0, 65536}, sha256("a")}, {{1U << 30U, 512}, sha256("b")}};
  const auto back = parse_digests(format_digests(digests), "list");
  ASSERT_TRUE(back.has_value()) << back.error().message;
  ASSERT_EQ(back->size(), 2U);
  EXPECT_EQ((*back)[1].piece.offset, 1U << 30U);
  EXPECT_EQ((*back)[1].piece.length, 512U);
  EXPECT_EQ((*back)[1].digest, sha256("b"));
}

TEST(WrittenDigests, a_damaged_list_is_named_with_its_line) {
  const auto good = format_digests({{{0, 65536}, sha256("a")}, {{65536, 512}, sha256("b")}});
  EXPECT_FALSE(parse_digests("", "list").has_value());
  EXPECT_FALSE(parse_digests("something else\n", "list").has_value());
  EXPECT_FALSE(parse_digests(good.substr(0, good.size() - 1), "list").has_value());
  auto bad = good;
  bad.insert(bad.rfind("65536 512"), "-");
  const auto parsed = parse_digests(bad, "list");
  ASSERT_FALSE(parsed.has_value());
  EXPECT_THAT(parsed.error().message, HasSubstr("list:3"));
}

image::LayerIdentity layer(std::uint64_t inode) {
  image::LayerIdentity identity;
  identity.inode = inode;
  return identity;
}

TEST(TellsOfWrites, an_identity_of_a_file_does) { EXPECT_TRUE(tells_of_writes({{"vda", {layer(7)}}})); }

TEST(TellsOfWrites, one_of_a_device_does_not_whatever_is_below_or_beside) {
  EXPECT_FALSE(tells_of_writes({{"vda", {layer(0), layer(7)}}}));
  EXPECT_FALSE(tells_of_writes({{"vda", {layer(7)}}, {"vdb", {layer(0)}}}));
}

}  // namespace
}  // namespace vmpatch::engine
