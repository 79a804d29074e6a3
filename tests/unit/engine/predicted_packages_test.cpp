#include <gmock/gmock.h>

#include "engine/predicted_packages.hpp"
#include "unit/plan/samples.hpp"

namespace vmpatch::engine {
namespace {

using plan::samples::debian;
using plan::samples::installed;
using testing::ElementsAre;
using testing::IsEmpty;

plan::Plan of(std::vector<plan::PackageChange> changes) {
  plan::Plan plan;
  plan.packages = std::move(changes);
  return plan;
}

TEST(PredictedPackages, the_old_ones_with_the_changes_are_as_predicted) {
  const auto before = debian({installed("a", "1"), installed("b", "1"), installed("gone", "1", "deinstall ok config-files")});
  const auto plan = of({{"a", "amd64", "a.deb", "1", "2"}, {"new", "amd64", "n.deb", "", "5"}});
  EXPECT_THAT(unpredicted_packages(plan, before, debian({installed("a", "2"), installed("b", "1"), installed("new", "5")})), IsEmpty());
}

TEST(PredictedPackages, what_is_missing_other_or_more_is_named) {
  const auto before = debian({installed("a", "1"), installed("b", "1"), installed("c", "1")});
  const auto differences = unpredicted_packages(of({{"a", "amd64", "a.deb", "1", "2"}}), before,
                                                debian({installed("a", "1"), installed("b", "3"), installed("extra", "9")}));
  EXPECT_THAT(differences, ElementsAre("package a:amd64: predicted 2, is 1", "package b:amd64: predicted 1, is 3",
                                       "package c:amd64: predicted 1, is not installed", "package extra:amd64: predicted not installed, is 9"));
}

TEST(PredictedPackages, an_architecture_may_become_all_and_foreign_ones_stay) {
  const auto before = debian({installed("a", "1"), installed("m", "1"), installed("m", "1", "install ok installed", "i386")});
  const auto plan = of({{"a", "all", "a.deb", "1", "2"}, {"m", "i386", "m.deb", "1", "2"}});
  EXPECT_THAT(unpredicted_packages(plan, before, debian({installed("a", "2", "install ok installed", "all"), installed("m", "1"),
                                                         installed("m", "2", "install ok installed", "i386")})), IsEmpty());
}

TEST(PredictedPackages, a_package_that_is_unpacked_counts) {
  const auto before = debian({installed("a", "1")});
  EXPECT_THAT(unpredicted_packages(of({}), before, debian({installed("a", "1"), installed("half", "2", "install ok unpacked")})),
              ElementsAre("package half:amd64: predicted not installed, is 2"));
}

TEST(PredictedPackages, scripts_and_archives_cannot_be_predicted) {
  recipe::Recipe recipe;
  recipe.steps.emplace_back(recipe::step::Packages());
  EXPECT_TRUE(is_predictable(recipe));
  recipe.steps.emplace_back(recipe::step::Run());
  EXPECT_FALSE(is_predictable(recipe));
}

}  // namespace
}  // namespace vmpatch::engine
