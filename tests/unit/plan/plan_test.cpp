#include <gmock/gmock.h>

#include "unit/plan/samples.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::plan {
namespace {

using namespace samples;
using testing::ElementsAre;
using testing::HasSubstr;

class PlanTest : public testing::Test {
 protected:
  Plan make(const std::vector<std::string>& obstacles, const std::vector<std::string>& unmet) {
    return make_plan(recipe, Digest{}, payloads, {machine, obstacles, facts, unmet});
  }

  std::vector<PayloadPackage> payloads{payload("openssl", "3.0.17")};
  recipe::Recipe recipe = upgrade(payloads);
  inventory::Machine machine;
  std::optional<guest::Facts> facts = debian({installed("openssl", "3.0.11")});
};

TEST_F(PlanTest, an_outdated_machine_is_patched) {
  const auto plan = make({}, {"package openssl is 3.0.11, wanted 3.0.17"});
  EXPECT_EQ(plan.outcome, Outcome::apply);
  ASSERT_EQ(plan.packages.size(), 1U);
  EXPECT_EQ(plan.packages[0].from, "3.0.11");
  EXPECT_GT(plan.space_needed, 100U * 1024);
}

TEST_F(PlanTest, obstacles_refuse_without_reading) {
  facts.reset();
  const auto plan = make({"it is running; shut it down"}, {});
  EXPECT_EQ(plan.outcome, Outcome::refused);
  EXPECT_THAT(plan.reasons, ElementsAre("it is running; shut it down"));
}

TEST_F(PlanTest, what_holds_already_is_satisfied) { EXPECT_EQ(make({}, {}).outcome, Outcome::satisfied); }

TEST_F(PlanTest, another_distribution_is_not_applicable) {
  facts->os.id = "ubuntu";
  for (const auto& unmet : {std::vector<std::string>{"x"}, {}}) {  // nor where all that it asks for is there
    const auto plan = make({}, unmet);
    EXPECT_EQ(plan.outcome, Outcome::not_applicable);
    EXPECT_THAT(plan.reasons, ElementsAre(HasSubstr("for debian, the guest is ubuntu")));
  }
}

TEST_F(PlanTest, another_release_or_architecture_is_not_applicable) {
  facts->os.version_id = "11";
  facts->arch = "aarch64";
  for (const auto& unmet : {std::vector<std::string>{"x"}, {}}) {
    EXPECT_EQ(make({}, unmet).outcome, Outcome::not_applicable);
    EXPECT_EQ(make({}, unmet).reasons.size(), 2U);
  }
}

TEST_F(PlanTest, no_matching_package_is_not_applicable) {
  facts = debian({installed("bash", "5")});
  EXPECT_EQ(make({}, {"x"}).outcome, Outcome::not_applicable);
  EXPECT_EQ(make({}, {}).outcome, Outcome::satisfied) << "they may be newer by now, or gone";
}

TEST_F(PlanTest, held_older_package_refuses_with_its_versions_and_the_way_out) {
  facts = debian({installed("openssl", "3.0.11", "hold ok installed")});
  const auto plan = make({}, {"package openssl is held at 3.0.11, wanted 3.0.17"});
  EXPECT_EQ(plan.outcome, Outcome::refused);
  ASSERT_EQ(plan.reasons.size(), 1U);
  for (const auto* part : {"openssl is held at 3.0.11", "3.0.17", "apt-mark unhold openssl", "a recipe without it"}) {
    EXPECT_THAT(plan.reasons[0], HasSubstr(part));
  }
}

TEST_F(PlanTest, what_no_program_can_be_given_is_refused_before_an_appliance) {
  recipe::step::Run run{"fix.sh", {std::string(131071, 'x')}, Seconds(60)};
  recipe.steps.emplace_back(run);
  EXPECT_EQ(make({}, {"x"}).outcome, Outcome::apply);
  std::get<recipe::step::Run>(recipe.steps.back()).args = {std::string(131072, 'x')};
  EXPECT_THAT(make({}, {"x"}).reasons, ElementsAre(HasSubstr("an argument of fix.sh has 128")));
  std::get<recipe::step::Run>(recipe.steps.back()).args.assign(11, std::string(100'000, 'x'));
  EXPECT_THAT(make({}, {"x"}).reasons, ElementsAre(HasSubstr("the arguments of fix.sh have 1")));
}

TEST_F(PlanTest, thousands_of_packages_are_a_step_and_more_than_dpkg_takes_are_refused) {
  const auto plan_of = [&](std::size_t count) {
    payloads.clear();
    for (std::size_t i = 0; i < count; ++i) {
      payloads.push_back(payload(fmt::format("package-{}", i), "2"));
      payloads.back().payload = std::string(200, 'n') + payloads.back().payload;
    }
    recipe = upgrade(payloads);
    recipe.applies_to.packages.clear();
    return make({}, {"x"});
  };
  EXPECT_EQ(plan_of(1700).outcome, Outcome::apply);
  EXPECT_THAT(plan_of(4000).reasons, ElementsAre(HasSubstr("split the step")));
}

TEST_F(PlanTest, half_configured_packages_refuse) {
  facts->half_configured = {"dpkg: half-configured"};
  const auto plan = make({}, {"x"});
  EXPECT_EQ(plan.outcome, Outcome::refused);
  EXPECT_THAT(plan.reasons, ElementsAre(HasSubstr("dpkg --configure -a")));
}

TEST_F(PlanTest, half_configured_packages_refuse_even_where_nothing_seems_to_be_missing) {
  facts->half_configured = {"openssl: half-configured"};
  facts->packages.clear();
  EXPECT_EQ(make({}, {}).outcome, Outcome::refused);
  facts->os.id = "ubuntu";
  EXPECT_EQ(make({}, {"x"}).outcome, Outcome::not_applicable);
}

TEST_F(PlanTest, a_hibernated_guest_refuses) {
  facts->hibernated = true;
  EXPECT_EQ(make({}, {"x"}).outcome, Outcome::refused);
}

TEST_F(PlanTest, unmet_dependencies_refuse) {
  payloads = {payload("openssl", "3.0.17", "libssl3 (>= 3.0.17)")};
  recipe = upgrade(payloads);
  facts = debian({installed("openssl", "3.0.11"), installed("libssl3", "3.0.11")});
  EXPECT_EQ(make({}, {"x"}).outcome, Outcome::refused);
}

TEST_F(PlanTest, json_names_schema_versions_and_outcome) {
  const auto json = to_json(make({}, {"x"}));
  EXPECT_EQ(json["schema"], "vm-patch/plan/v1");
  EXPECT_EQ(json["outcome"], "apply");
  EXPECT_EQ(json["packages"][0]["from"], "3.0.11");
  EXPECT_EQ(json["recipe"]["version"], 3);
}

TEST_F(PlanTest, a_recipe_that_a_refresh_made_is_for_machines_that_need_all_of_it) {
  payloads.push_back(payload("libssl3", "3.0.17"));
  recipe = upgrade(payloads);
  recipe.made_from.emplace();
  facts = debian({installed("openssl", "3.0.11"), installed("libssl3", "3.0.11")});
  EXPECT_EQ(make({}, {"x"}).outcome, Outcome::apply);
  facts = debian({installed("openssl", "3.0.11"), installed("libssl3", "3.0.17")});
  const auto plan = make({}, {"x"});
  EXPECT_EQ(plan.outcome, Outcome::refused);
  EXPECT_THAT(plan.reasons, ElementsAre(HasSubstr("needs all of its 2 packages, and this one needs 1")));
  recipe.made_from.reset();
  EXPECT_EQ(make({}, {"x"}).outcome, Outcome::apply);
}

}  // namespace
}  // namespace vmpatch::plan
