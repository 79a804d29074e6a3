#include "engine/steps/dpkg_audit.hpp"

#include <gmock/gmock.h>

#include "engine/dpkg_notes.hpp"
#include "support/fake_guest.hpp"

namespace vmpatch::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

// As dpkg 1.21 prints it.
constexpr const char* half_configured =
    "The following packages are only half configured, probably due to problems\n"
    "configuring them the first time.  The configuration should be retried using\n"
    "dpkg --configure <package> or the configure menu option in dselect:\n"
    " web                  a server\n"
    "\n";
constexpr const char* no_list =
    "The following packages are missing the list control file in the\n"
    "database, they need to be reinstalled:\n"
    " old                  something\n"
    " web                  a server\n"
    "\n";
constexpr const char* no_digests =
    "The following packages are missing the md5sums control file in the\n"
    "database, they need to be reinstalled:\n"
    " vendor               of somebody\n"
    "\n";

TEST(DpkgAudit, packages_are_read_with_their_heading) {
  EXPECT_THAT(parse_audit(no_list), ElementsAre(Pair(HasSubstr("missing the list control file in the database"), "old"),
                                                Pair(HasSubstr("missing the list control file in the database"), "web")));
  EXPECT_EQ(parse_audit(std::string(half_configured) + no_list).size(), 3U);
  EXPECT_THAT(parse_audit(""), IsEmpty());
}

TEST(DpkgAudit, warnings_are_no_findings) {
  EXPECT_THAT(parse_audit(no_digests), IsEmpty());
  EXPECT_THAT(parse_audit("dpkg: warning: files list file for package 'x' missing; assuming package has no files currently installed\n"), IsEmpty());
  EXPECT_EQ(parse_audit(std::string("dpkg: warning: parsing file\n") + no_digests + half_configured).size(), 1U);
}

TEST(DpkgAudit, what_was_there_before_is_not_new_and_the_same_package_under_another_heading_is) {
  const auto before = parse_audit(no_list);
  EXPECT_EQ(new_findings(before, before), "");
  EXPECT_EQ(new_findings(before, {}), "");
  const auto fresh = new_findings(before, parse_audit(std::string(no_list) + half_configured));
  EXPECT_THAT(fresh, HasSubstr("web: The following packages are only half configured"));
  EXPECT_THAT(fresh, testing::Not(HasSubstr("old")));
}

TEST(DpkgAudit, thousands_of_findings_are_counted) {
  std::string many = "Heading:\n";
  for (int i = 0; i < 5000; ++i) many += " package-" + std::to_string(i) + " x\n";
  const auto fresh = new_findings({}, parse_audit(many));
  EXPECT_LT(fresh.size(), 2000U);
  EXPECT_THAT(fresh, HasSubstr("and 4995 more"));
}

TEST(DpkgNotes, packages_without_their_files_are_noted) {
  guest::FakeGuest guest;
  guest::Facts facts;
  facts.package_manager = "dpkg";
  for (const char* name : {"whole", "multi", "lost"}) {
    guest::Package package;
    package.name = name;
    package.arch = "amd64";
    package.status = "install ok installed";
    facts.packages.push_back(package);
  }
  for (const char* file : {"whole.list", "whole.md5sums", "multi:amd64.list", "multi:amd64.md5sums"}) {
    guest.add_file(std::string("/var/lib/dpkg/info/") + file, "");
  }
  EXPECT_THAT(dpkg_notes(guest, facts).value(), ElementsAre(HasSubstr("no list of their files (lost)"), HasSubstr("no digests of their files (lost)")));
  facts.packages.back().status = "deinstall ok config-files";
  EXPECT_THAT(dpkg_notes(guest, facts).value(), IsEmpty());
  facts.package_manager = "rpm";
  EXPECT_THAT(dpkg_notes(guest, facts).value(), IsEmpty());
}

}  // namespace
}  // namespace vmpatch::engine
