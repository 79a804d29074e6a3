#include <gmock/gmock.h>

#include "unit/plan/samples.hpp"

namespace vmpatch::plan {
namespace {

using namespace samples;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> names(const Selection& selection) {
  std::vector<std::string> all;
  for (const auto& change : selection.changes) all.push_back(change.name + " " + change.from + ">" + change.to);
  return all;
}

TEST(Selection, only_installed_and_older_packages_are_upgraded) {
  const std::vector payloads{payload("a", "2"), payload("b", "2"), payload("c", "2"), payload("d", "2")};
  const auto facts = debian({installed("a", "1"), installed("b", "2"), installed("c", "3")});
  const auto selection = select(upgrade(payloads), payloads, facts);
  EXPECT_THAT(names(selection), ElementsAre("a 1>2"));
  EXPECT_THAT(selection.skipped, ElementsAre(HasSubstr("b: 2 is installed"), HasSubstr("c: 3 is installed"), HasSubstr("d: not installed")));
}

TEST(Selection, a_new_package_that_an_upgrade_needs_is_added) {
  const std::vector payloads{payload("linux-image-amd64", "6.1.9", "linux-image-6.1.0-9"), payload("linux-image-6.1.0-9", "6.1.9")};
  const auto selection = select(upgrade(payloads), payloads, debian({installed("linux-image-amd64", "6.1.4")}));
  EXPECT_THAT(names(selection), ElementsAre("linux-image-amd64 6.1.4>6.1.9", "linux-image-6.1.0-9 >6.1.9"));
}

TEST(Selection, a_package_outside_applies_to_is_installed_anew) {
  const std::vector payloads{payload("agent", "1")};
  auto recipe = upgrade(payloads);
  recipe.applies_to.packages.clear();
  EXPECT_THAT(names(select(recipe, payloads, debian({}))), ElementsAre("agent >1"));
}

TEST(Selection, a_held_older_package_stays_and_is_told_apart) {
  const std::vector payloads{payload("a", "2"), payload("b", "2", "a (>= 2)")};
  const auto selection = select(upgrade(payloads), payloads, debian({installed("a", "1", "hold ok installed"), installed("b", "1")}));
  EXPECT_THAT(names(selection), ElementsAre("b 1>2")) << "nor does another package that needs it take it along";
  EXPECT_THAT(selection.skipped, IsEmpty());
  ASSERT_EQ(selection.held.size(), 1U);
  EXPECT_EQ(selection.held[0].name, "a");
  EXPECT_EQ(selection.held[0].from, "1");
  EXPECT_EQ(selection.held[0].to, "2");
}

TEST(Selection, a_held_package_that_is_new_enough_is_left_alone) {
  const std::vector payloads{payload("a", "2")};
  const auto selection = select(upgrade(payloads), payloads, debian({installed("a", "2", "hold ok installed")}));
  EXPECT_THAT(selection.held, IsEmpty());
  EXPECT_THAT(selection.skipped, ElementsAre(HasSubstr("not older than 2")));
}

TEST(Selection, another_architecture_of_the_same_name_does_not_count) {
  const std::vector payloads{payload("a", "2")};
  const auto selection = select(upgrade(payloads), payloads, debian({installed("a", "1", "install ok installed", "i386")}));
  EXPECT_THAT(selection.changes, IsEmpty());
}

TEST(Selection, a_strict_dependency_that_nobody_meets_is_reported) {
  const std::vector payloads{payload("curl", "2", "libcurl4 (= 2)")};
  const auto selection = select(upgrade(payloads), payloads, debian({installed("curl", "1"), installed("libcurl4", "1")}));
  EXPECT_THAT(selection.unmet_dependencies, ElementsAre(HasSubstr("curl 2 needs libcurl4 = 2")));
}

TEST(Selection, a_dependency_that_is_upgraded_with_it_is_met) {
  const std::vector payloads{payload("curl", "2", "libcurl4 (= 2)"), payload("libcurl4", "2")};
  const auto selection = select(upgrade(payloads), payloads, debian({installed("curl", "1"), installed("libcurl4", "1")}));
  EXPECT_THAT(selection.unmet_dependencies, IsEmpty());
  EXPECT_EQ(selection.changes.size(), 2U);
}

TEST(Selection, removed_packages_with_config_files_left_are_not_installed) {
  const std::vector payloads{payload("a", "2")};
  const auto selection = select(upgrade(payloads), payloads, debian({installed("a", "1", "deinstall ok config-files")}));
  EXPECT_THAT(selection.changes, IsEmpty());
}

}  // namespace
}  // namespace vmpatch::plan
