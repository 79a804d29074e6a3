#include <gtest/gtest.h>

#include "vmpatch/core/json.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::policy {
namespace {

TEST(GatePolicy, json_has_the_documented_form) {
  Policy policy;
  Group group;
  group.name = "web";
  group.names = {"web*"};
  group.baseline.attested = true;
  group.baseline.max_age = Seconds(60);
  group.baseline.recipes["r"] = 2;
  policy.groups.push_back(group);
  EXPECT_EQ(dump_json(gate_policy_json(policy)),
            R"({"schema":"vm-patch/gate-policy/v1","groups":[{"name":"web","match":{"names":["web*"],"uuids":[],)"
            R"("metadata_groups":[]},"baseline":{"attested":true,"max_age":60,"recipes":{"r":2},"proof":"any"},"on_error":"closed",)"
            R"("action":"deny"}]})");
}

TEST(GatePolicy, demanded_proof_is_published) {
  const auto policy = parse_policy("schema: vm-patch/config/v1\ngroups: [{name: web, match: {names: [a]}, baseline: {proof: delivered}}]\n", "x");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(gate_policy_json(*policy)["groups"][0]["baseline"]["proof"], "delivered");
  EXPECT_FALSE(policy->groups[0].baseline.empty());
}

TEST(GatePolicy, no_groups_are_an_empty_list) {
  EXPECT_EQ(dump_json(gate_policy_json({})), R"({"schema":"vm-patch/gate-policy/v1","groups":[]})");
}

}  // namespace
}  // namespace vmpatch::policy
