#include <gmock/gmock.h>

#include "unit/plan/samples.hpp"

namespace vmpatch::plan {
namespace {

using namespace samples;
using testing::ElementsAre;

PayloadPackage with(PayloadPackage package, const std::string& field, const std::string& value) {
  package.deb.control[field] = value;
  return package;
}

std::vector<std::string> batches(const std::vector<PayloadPackage>& payloads, const guest::Facts& facts) {
  const auto selection = select(upgrade(payloads), payloads, facts);
  std::vector<std::string> all;
  for (const auto& batch : install_batches(VersionScheme::deb, selection.changes, payloads, facts)) {
    std::string text;
    for (const auto& change : batch) text += (text.empty() ? "" : " ") + change.name;
    all.push_back(text);
  }
  return all;
}

TEST(InstallOrder, packages_without_pre_depends_go_in_one_call) {
  const std::vector payloads{payload("a", "2", "b (= 2)"), payload("b", "2", "a (= 2)")};
  EXPECT_THAT(batches(payloads, debian({installed("a", "1"), installed("b", "1")})), ElementsAre("a b"));
}

TEST(InstallOrder, what_is_needed_before_unpacking_is_configured_in_an_earlier_call) {
  // As libpam-modules of Debian has it.
  const std::vector payloads{payload("pam0g", "3"), payload("pam-bin", "3", "pam0g (>= 3)"),
                             with(payload("pam-modules", "3"), "Pre-Depends", "pam0g (>= 1), pam-bin (= 3)"),
                             payload("pam-runtime", "3", "pam-modules (>= 3)"), payload("zlib", "3")};
  const auto facts = debian({installed("pam0g", "2"), installed("pam-bin", "2"), installed("pam-modules", "2"),
                             installed("pam-runtime", "2"), installed("zlib", "2")});
  EXPECT_THAT(batches(payloads, facts), ElementsAre("pam0g pam-bin zlib", "pam-modules pam-runtime"));
}

TEST(InstallOrder, pre_depends_that_the_installed_version_meets_need_no_call_of_their_own) {
  const std::vector payloads{payload("libc6", "3"), with(payload("bash", "3"), "Pre-Depends", "libc6 (>= 2)")};
  EXPECT_THAT(batches(payloads, debian({installed("libc6", "2"), installed("bash", "2")})), ElementsAre("libc6 bash"));
}

TEST(InstallOrder, a_provider_counts_and_a_chain_takes_a_call_each) {
  const std::vector payloads{with(payload("c", "2"), "Pre-Depends", "b (>= 2)"), with(payload("b", "2"), "Pre-Depends", "virtual (= 7)"),
                             with(payload("a", "2"), "Provides", "virtual (= 7)")};
  EXPECT_THAT(batches(payloads, debian({installed("a", "1"), installed("b", "1"), installed("c", "1")})), ElementsAre("a", "b", "c"));
}

TEST(InstallOrder, what_a_package_breaks_does_not_hinder_what_pre_depends_on_it) {
  const std::vector payloads{with(payload("pam-modules", "2"), "Pre-Depends", "pam-bin (= 2)"),
                             with(payload("pam-bin", "2"), "Breaks", "pam-modules (<< 2)")};
  EXPECT_THAT(batches(payloads, debian({installed("pam-modules", "1"), installed("pam-bin", "1")})), ElementsAre("pam-bin", "pam-modules"));
}

TEST(InstallOrder, what_a_package_conflicts_with_is_updated_before) {
  const std::vector payloads{with(payload("new", "2"), "Conflicts", "old (<< 2), gone (<< 2)"), payload("old", "2"), payload("gone", "2")};
  EXPECT_THAT(batches(payloads, debian({installed("new", "1"), installed("old", "1")})), ElementsAre("old", "new"));
}

TEST(InstallOrder, a_circle_of_pre_depends_is_left_to_dpkg_in_one_call) {
  const std::vector payloads{with(payload("a", "2"), "Pre-Depends", "b (= 2)"), with(payload("b", "2"), "Pre-Depends", "a (= 2)")};
  EXPECT_THAT(batches(payloads, debian({installed("a", "1"), installed("b", "1")})), ElementsAre("a b"));
}

}  // namespace
}  // namespace vmpatch::plan
