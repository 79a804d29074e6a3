#include "unit/gate/scene.hpp"

#include "vmpatch/core/json.hpp"

namespace vmpatch::gate {
namespace {

Json policy_of(const char* groups) { return *parse_json(fmt::format(R"({{"groups":{}}})", groups), "test"); }

inventory::Machine machine(const std::string& name, const std::string& group = "") {
  inventory::Machine m;
  m.uuid = machine_uuid;
  m.name = name;
  m.metadata.group = group;
  return m;
}

const char* const three = R"([
  {"name":"a","match":{"names":["web*"],"uuids":[],"metadata_groups":[]}},
  {"name":"b","match":{"names":[],"uuids":["11111111-2222-4333-8444-555555555555"],"metadata_groups":[]}},
  {"name":"c","match":{"names":["*"],"uuids":[],"metadata_groups":["db"]}}])";

TEST(FindGroup, first_match_counts) {
  EXPECT_EQ(find_group(policy_of(three), machine("web01")).at("name"), "a");
  EXPECT_EQ(find_group(policy_of(three), machine("other")).at("name"), "b");
}

TEST(FindGroup, metadata_group_matches) {
  const Json policy = policy_of(R"([{"name":"m","match":{"names":[],"uuids":[],"metadata_groups":["db"]}}])");
  EXPECT_EQ(find_group(policy, machine("x", "db")).at("name"), "m");
  EXPECT_TRUE(find_group(policy, machine("db", "")).is_null());
}

TEST(FindGroup, no_policy_and_no_match_give_null) {
  EXPECT_TRUE(find_group({}, machine("x")).is_null());
  EXPECT_TRUE(find_group(policy_of("[]"), machine("x")).is_null());
}

TEST(Blocks, answer_and_group_decide) {
  const Json closed = {{"on_error", "closed"}, {"action", "deny"}};
  const Json open = {{"on_error", "open"}, {"action", "deny"}};
  const Json warn = {{"on_error", "closed"}, {"action", "warn"}};
  const auto verdict = [](Answer answer, const char* rule) { return Verdict{answer, rule, "", "", {}, {}}; };
  const Verdict denied = verdict(Answer::deny, "not-attested");
  const Verdict unclear = verdict(Answer::unassessable, "disk-unreadable");
  for (const Json& group : {closed, open, warn, Json()}) {
    EXPECT_FALSE(blocks(verdict(Answer::allow, "attested"), group));
    EXPECT_TRUE(blocks(verdict(Answer::quarantine, "quarantined"), group));
    EXPECT_TRUE(blocks(verdict(Answer::deny, "run-unfinished"), group));
  }
  EXPECT_TRUE(blocks(denied, closed));
  EXPECT_TRUE(blocks(denied, open));
  EXPECT_FALSE(blocks(denied, warn));
  EXPECT_TRUE(blocks(denied, {}));
  EXPECT_TRUE(blocks(unclear, closed));
  EXPECT_FALSE(blocks(unclear, open));
  EXPECT_FALSE(blocks(unclear, warn));
  EXPECT_TRUE(blocks(unclear, {}));
  EXPECT_TRUE(blocks(unclear, {{"on_error", 5}}));
}

TEST(Words, operations_parse_exactly) {
  EXPECT_EQ(parse_operation("prepare"), Operation::prepare);
  EXPECT_EQ(parse_operation("Prepare"), Operation::other);
  EXPECT_EQ(parse_operation("reconnect"), Operation::reconnect);
  EXPECT_EQ(parse_operation(""), Operation::other);
}

}  // namespace
}  // namespace vmpatch::gate
