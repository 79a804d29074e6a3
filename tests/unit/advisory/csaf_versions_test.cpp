// Releases and versions of CSAF products as vendors write them, and what of them is left out.
#include "unit/advisory/csaf_documents.hpp"
#include "unit/advisory/feeds.hpp"

namespace vmpatch::advisory::test {
namespace {

using Lines = std::vector<std::string>;

const std::string covering = R"([{"id":"X-1","affected":[{"package":{"ecosystem":"Debian:12","name":"-"}},{"package":{"ecosystem":"Ubuntu:22.04:LTS","name":"-"}}]}])";

struct Answer {
  Lines found;
  std::uint64_t skipped = 0;
  std::string problem;
};

Answer ask(const Document& document, const guest::Facts& facts) {
  std::vector<FeedState> states;
  const Database loaded = database({{FeedKind::osv, covering}, {FeedKind::csaf, document.text()}}, facts, &states);
  return {lines(*loaded.match(facts)), states.back().skipped, states.back().problems.empty() ? "" : states.back().problems[0]};
}

guest::Facts jammy(const std::string& version = "3.0.2-0ubuntu1.10") { return machine("ubuntu", "22.04", {package("libssl3", version, "openssl")}); }

// Releases

TEST(CsafRelease, CodeNameOfUbuntuIsItsRelease) {
  for (const char* distro : {"jammy", "esm-infra/jammy", "esm-apps/jammy", "ubuntu-22.04", "22.04.3"}) {
    const Document document({leaf("p", std::string("pkg:deb/ubuntu/openssl@3.0.2-0ubuntu1.15?arch=source&distro=") + distro)}, {}, "fixed", {"p"});
    const auto answer = ask(document, jammy());
    EXPECT_EQ(answer.found, Lines{"CVE-2022-36760 openssl 3.0.2-0ubuntu1.10 affected_fixed 3.0.2-0ubuntu1.15"}) << distro;
    EXPECT_EQ(answer.skipped, 0U) << distro;
  }
}

TEST(CsafRelease, PointReleaseInAPlatformsNameIsItsRelease) {
  const Document document({leaf("U", "", "Ubuntu 22.04.3 LTS"), leaf("c", "pkg:deb/ubuntu/openssl@3.0.2-0ubuntu1.15?arch=source")}, {combination("U:c", "c", "U")},
                          "fixed", {"U:c"});
  EXPECT_EQ(ask(document, jammy()).found, Lines{"CVE-2022-36760 openssl 3.0.2-0ubuntu1.10 affected_fixed 3.0.2-0ubuntu1.15"});
}

TEST(CsafRelease, OneThatIsNotUnderstoodCountsForAnInstalledPackage) {
  const auto skipped = [](const std::string& purl) { return ask(Document({leaf("p", purl)}, {}, "fixed", {"p"}), jammy()).skipped; };
  EXPECT_EQ(skipped("pkg:deb/ubuntu/openssl@3.0.2?arch=source&distro=jolly"), 1U);
  EXPECT_EQ(skipped("pkg:deb/ubuntu/openssl@3.0.2?arch=source&distro=new-archive/jammy"), 1U);
  EXPECT_EQ(skipped("pkg:deb/ubuntu/nginx@3.0.2?arch=source&distro=jolly"), 0U);
  // Another product, and another distribution.
  EXPECT_EQ(skipped("pkg:deb/ubuntu/openssl@3.0.2?arch=source&distro=fips-updates/jammy"), 0U);
  const Document platform({leaf("U", "cpe:/o:canonical:ubuntu_linux:jolly"), leaf("c", "pkg:deb/ubuntu/openssl@3.0.2?arch=source")}, {combination("U:c", "c", "U")},
                          "fixed", {"U:c"});
  EXPECT_EQ(ask(platform, jammy()).skipped, 1U);
}

}  // namespace
}  // namespace vmpatch::advisory::test
