// What an OSV record says of an installed version. Each row is a case of the format: https://ossf.github.io/osv-schema/.
#include <chrono>

#include "unit/advisory/feeds.hpp"

namespace vmpatch::advisory::test {
namespace {

struct Case {
  std::string name;
  std::string feed;
  guest::Facts facts;
  std::vector<std::string> expected;
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class OsvMatch : public testing::TestWithParam<Case> {};

TEST_P(OsvMatch, FindsWhatTheFormatSays) {
  const Case& one = GetParam();
  // Speaks of every distribution, so that "no finding" differs from "not covered".
  const std::string other =
      R"([{"id":"X-1","affected":[{"package":{"ecosystem":"Debian","name":"-"}},{"package":{"ecosystem":"Alpine","name":"-"}},)"
      R"({"package":{"ecosystem":"AlmaLinux","name":"-"}},{"package":{"ecosystem":"Ubuntu","name":"-"}},)"
      R"({"package":{"ecosystem":"Rocky Linux","name":"-"}},{"package":{"ecosystem":"Red Hat:enterprise_linux:9","name":"-"}},)"
      R"({"package":{"ecosystem":"openSUSE:Leap 15.5","name":"-"}}]}])";
  EXPECT_EQ(lines(findings({{FeedKind::osv, other}, {FeedKind::automatic, one.feed}}, one.facts)), one.expected);
}

constexpr auto affected = R"("ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"3.0.11-1~deb12u2"}]}])";

guest::Facts openssl(const std::string& version) { return debian12({package("libssl3", version, "openssl")}); }
std::string on_openssl(const std::string& part, const std::string& rest = "") { return osv("CVE-2023-5363", "Debian:12", "openssl", part, rest); }

const std::vector<Case> debian_cases{
    {"introduced_0_and_older_than_fixed", on_openssl(affected), openssl("3.0.11-1~deb12u1"),
     {"CVE-2023-5363 openssl 3.0.11-1~deb12u1 affected_fixed 3.0.11-1~deb12u2"}},
    {"exactly_fixed", on_openssl(affected), openssl("3.0.11-1~deb12u2"), {"CVE-2023-5363 openssl 3.0.11-1~deb12u2 not_affected -"}},
    {"newer_than_fixed", on_openssl(affected), openssl("3.0.14-1"), {"CVE-2023-5363 openssl 3.0.14-1 not_affected -"}},
    {"tilde_sorts_before_the_end", on_openssl(fixed_in("3.0.11-1")), openssl("3.0.11-1~deb12u2"),
     {"CVE-2023-5363 openssl 3.0.11-1~deb12u2 affected_fixed 3.0.11-1"}},
    {"tilde_of_the_fixed_version", on_openssl(fixed_in("3.0.11-1~deb12u2")), openssl("3.0.11-1"),
     {"CVE-2023-5363 openssl 3.0.11-1 not_affected -"}},
    {"epoch_is_higher_than_any_version", on_openssl(fixed_in("1:1.0-1")), openssl("3.0.11-1"),
     {"CVE-2023-5363 openssl 3.0.11-1 affected_fixed 1:1.0-1"}},
    {"epoch_of_the_installed_version", on_openssl(fixed_in("9.9-1")), openssl("1:0.1-1"), {"CVE-2023-5363 openssl 1:0.1-1 not_affected -"}},
    {"introduced_later", on_openssl(ranges(R"({"introduced":"3.1.0-1"},{"fixed":"3.1.4-1"})")), openssl("3.0.11-1"),
     {"CVE-2023-5363 openssl 3.0.11-1 not_affected -"}},
    {"introduced_exactly_here", on_openssl(ranges(R"({"introduced":"3.0.11-1"},{"fixed":"3.1.4-1"})")), openssl("3.0.11-1"),
     {"CVE-2023-5363 openssl 3.0.11-1 affected_fixed 3.1.4-1"}},
    {"no_fix", on_openssl(ranges(R"({"introduced":"0"})")), openssl("3.0.11-1"), {"CVE-2023-5363 openssl 3.0.11-1 affected_unfixed -"}},
    {"last_affected_is_inclusive", on_openssl(ranges(R"({"introduced":"0"},{"last_affected":"3.0.11-1"})")), openssl("3.0.11-1"),
     {"CVE-2023-5363 openssl 3.0.11-1 affected_unfixed -"}},
    {"above_last_affected", on_openssl(ranges(R"({"introduced":"0"},{"last_affected":"3.0.11-1"})")), openssl("3.0.11-2"),
     {"CVE-2023-5363 openssl 3.0.11-2 not_affected -"}},
    {"introduced_again", on_openssl(ranges(R"({"introduced":"0"},{"fixed":"1.1-1"},{"introduced":"3.0-1"},{"fixed":"3.0.12-1"})")),
     openssl("3.0.11-1"), {"CVE-2023-5363 openssl 3.0.11-1 affected_fixed 3.0.12-1"}},
    {"between_fixed_and_introduced_again",
     on_openssl(ranges(R"({"introduced":"0"},{"fixed":"1.1-1"},{"introduced":"3.0-1"},{"fixed":"3.0.12-1"})")), openssl("2.0-1"),
     {"CVE-2023-5363 openssl 2.0-1 not_affected -"}},
    {"events_in_any_order", on_openssl(ranges(R"({"fixed":"3.0.12-1"},{"introduced":"3.0-1"},{"fixed":"1.1-1"},{"introduced":"0"})")),
     openssl("3.0.11-1"), {"CVE-2023-5363 openssl 3.0.11-1 affected_fixed 3.0.12-1"}},
    {"second_of_several_ranges",
     on_openssl(R"("ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"1.0-1"},{"fixed":"1.1-1"}]},)"
                R"({"type":"ECOSYSTEM","events":[{"introduced":"3.0-1"},{"fixed":"3.0.12-1"}]}])"),
     openssl("3.0.11-1"), {"CVE-2023-5363 openssl 3.0.11-1 affected_fixed 3.0.12-1"}},
    {"a_fix_that_another_range_takes_back",
     on_openssl(R"("ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"3.0.12-1"}]},)"
                R"({"type":"ECOSYSTEM","events":[{"introduced":"3.0.12-1"},{"fixed":"3.0.13-1"}]}])"),
     openssl("3.0.11-1"), {"CVE-2023-5363 openssl 3.0.11-1 affected_fixed 3.0.13-1"}},
    {"a_fix_that_sorts_before_0", on_openssl(fixed_in("0~git20240101-1")), openssl("0~git20240202-1"),
     {"CVE-2023-5363 openssl 0~git20240202-1 not_affected -"}},
    {"older_than_a_fix_that_sorts_before_0", on_openssl(fixed_in("0~git20240101-1")), openssl("0~git20231231-1"),
     {"CVE-2023-5363 openssl 0~git20231231-1 affected_fixed 0~git20240101-1"}},
    {"before_the_limit", on_openssl(ranges(R"({"introduced":"0"},{"limit":"3.1-1"})")), openssl("3.0.11-1"),
     {"CVE-2023-5363 openssl 3.0.11-1 affected_unfixed -"}},
    {"behind_the_limit", on_openssl(ranges(R"({"introduced":"0"},{"limit":"3.0-1"})")), openssl("3.0.11-1"),
     {"CVE-2023-5363 openssl 3.0.11-1 not_affected -"}},
    {"one_of_several_limits", on_openssl(ranges(R"({"introduced":"0"},{"limit":"3.0-1"},{"limit":"*"})")), openssl("3.0.11-1"),
     {"CVE-2023-5363 openssl 3.0.11-1 affected_unfixed -"}},
    {"listed_version_only", on_openssl(R"("versions":["3.0.9-1","3.0.11-1"])"), openssl("3.0.11-1"),
     {"CVE-2023-5363 openssl 3.0.11-1 affected_unfixed -"}},
    {"version_that_is_not_listed", on_openssl(R"("versions":["3.0.9-1","3.0.11-1"])"), openssl("3.0.10-1"),
     {"CVE-2023-5363 openssl 3.0.10-1 not_affected -"}},
    {"listed_besides_the_range", on_openssl(fixed_in("3.0.9-1") + R"(,"versions":["3.0.11-1"])"), openssl("3.0.11-1"),
     {"CVE-2023-5363 openssl 3.0.11-1 affected_unfixed -"}},
    {"git_range_is_not_comparable", on_openssl(R"("ranges":[{"type":"GIT","repo":"https://x","events":[{"introduced":"0"}]}])"),
     openssl("3.0.11-1"), {}},
    {"semver_range_is_not_comparable", on_openssl(R"("ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}])"), openssl("3.0.11-1"), {}},
    {"git_range_with_listed_versions",
     on_openssl(R"("ranges":[{"type":"GIT","repo":"https://x","events":[{"introduced":"0"}]}],"versions":["3.0.11-1"])"), openssl("3.0.11-1"),
     {"CVE-2023-5363 openssl 3.0.11-1 affected_unfixed -"}},
    {"range_that_is_not_understood_is_not_clean", on_openssl(R"("ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0","fixed":"1"}]}])"),
     openssl("3.0.11-1"), {"CVE-2023-5363 openssl 3.0.11-1 under_investigation -"}},
    {"unknown_event_is_not_clean",
     on_openssl(R"("ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.0-1"}]},{"type":"ECOSYSTEM","events":[{"since":"2"}]}])"),
     openssl("3.0.11-1"), {"CVE-2023-5363 openssl 3.0.11-1 under_investigation -"}},
    {"release_suffix_of_another_release", osv("CVE-2023-5363", "Debian:11", "openssl", affected), openssl("3.0.9-1"), {}},
    {"no_release_suffix", osv("CVE-2023-5363", "Debian", "openssl", affected), openssl("3.0.9-1"),
     {"CVE-2023-5363 openssl 3.0.9-1 affected_fixed 3.0.11-1~deb12u2"}},
    {"another_distribution", osv("CVE-2023-5363", "Ubuntu:22.04:LTS", "openssl", affected), openssl("3.0.9-1"), {}},
    {"an_ecosystem_that_is_no_distribution", osv("CVE-2023-5363", "PyPI", "openssl", affected), openssl("3.0.9-1"), {}},
    {"binary_names_mean_nothing_to_debian", osv("CVE-2023-5363", "Debian:12", "libssl3", affected), openssl("3.0.9-1"), {}},
    {"package_that_is_not_installed", osv("CVE-2023-5363", "Debian:12", "nginx", affected), openssl("3.0.9-1"), {}},
    {"removed_package_with_configuration_left", on_openssl(affected),
     debian12({package("libssl3", "3.0.9-1", "openssl", "", "config-files")}), {}},
    {"unpacked_package_is_on_the_disk", on_openssl(affected), debian12({package("libssl3", "3.0.9-1", "openssl", "", "unpacked")}),
     {"CVE-2023-5363 openssl 3.0.9-1 affected_fixed 3.0.11-1~deb12u2"}},
    {"half_configured_package_is_on_the_disk", on_openssl(affected), debian12({package("libssl3", "3.0.9-1", "openssl", "", "half-configured")}),
     {"CVE-2023-5363 openssl 3.0.9-1 affected_fixed 3.0.11-1~deb12u2"}},
    {"half_installed_package_is_on_the_disk", on_openssl(affected), debian12({package("libssl3", "3.0.9-1", "openssl", "", "half-installed")}),
     {"CVE-2023-5363 openssl 3.0.9-1 affected_fixed 3.0.11-1~deb12u2"}},
    {"triggers_awaited_package_is_on_the_disk", on_openssl(affected), debian12({package("libssl3", "3.0.9-1", "openssl", "", "triggers-awaited")}),
     {"CVE-2023-5363 openssl 3.0.9-1 affected_fixed 3.0.11-1~deb12u2"}},
    {"triggers_pending_package_is_on_the_disk", on_openssl(affected), debian12({package("libssl3", "3.0.9-1", "openssl", "", "triggers-pending")}),
     {"CVE-2023-5363 openssl 3.0.9-1 affected_fixed 3.0.11-1~deb12u2"}},
    {"package_that_was_never_installed", on_openssl(affected), debian12({package("libssl3", "3.0.9-1", "openssl", "", "not-installed")}), {}},
    {"rebuilt_binary_is_compared_by_its_source", on_openssl(fixed_in("3.0.11-1+b1")),
     debian12({package("libssl3", "3.0.11-1+b1", "openssl", "3.0.11-1")}),
     {"CVE-2023-5363 openssl 3.0.11-1 affected_fixed 3.0.11-1+b1"}},
    {"rebuilt_binary_of_a_fixed_source", on_openssl(fixed_in("3.0.11-1")), debian12({package("libssl3", "3.0.11-1+b1", "openssl", "3.0.11-1")}),
     {"CVE-2023-5363 openssl 3.0.11-1 not_affected -"}},
    {"source_with_a_version_of_its_own", osv("CVE-2022-0001", "Debian:12", "foo", fixed_in("1.0-2")),
     debian12({package("libfoo", "7:4.2-1", "foo", "1.0-1")}), {"CVE-2022-0001 foo 1.0-1 affected_fixed 1.0-2"}},
    {"withdrawn", on_openssl(affected, R"("withdrawn":"2026-02-03T04:05:06Z")"), openssl("3.0.9-1"),
     {"CVE-2023-5363 openssl 3.0.9-1 not_affected -"}},
    {"withdrawn_beside_a_valid_record",
     "[" + osv("DSA-1-1", "Debian:12", "openssl", affected, R"("withdrawn":"2026-02-03T04:05:06Z","upstream":["CVE-2023-5363"])") + "," +
         on_openssl(affected) + "]",
     openssl("3.0.9-1"), {"CVE-2023-5363 openssl 3.0.9-1 affected_fixed 3.0.11-1~deb12u2"}},
    {"erratum_for_several_cves", osv("DSA-5532-1", "Debian:12", "openssl", affected, R"("upstream":["CVE-2023-5363","CVE-2023-5678"])"),
     openssl("3.0.9-1"),
     {"CVE-2023-5363 openssl 3.0.9-1 affected_fixed 3.0.11-1~deb12u2", "CVE-2023-5678 openssl 3.0.9-1 affected_fixed 3.0.11-1~deb12u2"}},
    {"erratum_that_mends_bugs_is_no_vulnerability", osv("ALBA-2022:8256", "AlmaLinux:9", "openssl-libs", fixed_in("1:3.0.7-25.el9")),
     machine("almalinux", "9.3", {package("openssl-libs", "1:3.0.7-24.el9", "openssl", "3.0.7-24.el9")}, "rpm"), {}},
    {"erratum_that_mends_bugs_and_a_vulnerability", osv("ALBA-2022:8256", "AlmaLinux:9", "openssl-libs", fixed_in("1:3.0.7-25.el9"), R"("related":["CVE-2023-5363"])"),
     machine("almalinux", "9.3", {package("openssl-libs", "1:3.0.7-24.el9", "openssl", "3.0.7-24.el9")}, "rpm"),
     {"CVE-2023-5363 openssl 1:3.0.7-24.el9 affected_fixed 1:3.0.7-25.el9"}},
    {"record_named_after_its_cve", osv("DEBIAN-CVE-2023-5363", "Debian:12", "openssl", affected), openssl("3.0.9-1"),
     {"CVE-2023-5363 openssl 3.0.9-1 affected_fixed 3.0.11-1~deb12u2"}},
    {"record_without_a_cve", osv("DSA-9999-1", "Debian:12", "openssl", affected), openssl("3.0.9-1"),
     {"DSA-9999-1 openssl 3.0.9-1 affected_fixed 3.0.11-1~deb12u2"}},
    {"signed_kernel_of_another_source", osv("CVE-2024-0001", "Debian:12", "linux", fixed_in("6.1.90-1")),
     debian12({package("linux-image-6.1.0-18-amd64", "6.1.76-1", "linux-signed-amd64", "6.1.76+1")}),
     {"CVE-2024-0001 linux 6.1.76-1 affected_fixed 6.1.90-1"}},
    {"signed_kernel_with_a_version_in_its_name", osv("CVE-2024-0001", "Debian:12", "linux-6.1", fixed_in("6.1.90-1")),
     debian12({package("linux-image-6.1.0-0.deb11.18-amd64", "6.1.76-1", "linux-signed-6.1-amd64", "6.1.76+1")}),
     {"CVE-2024-0001 linux-6.1 6.1.76-1 affected_fixed 6.1.90-1"}},
    {"signed_kernel_of_arm", osv("CVE-2024-0001", "Debian:12", "linux", fixed_in("6.1.90-1")),
     debian12({package("linux-image-6.1.0-18-arm64", "6.1.76-1", "linux-signed-arm64", "6.1.76+1")}),
     {"CVE-2024-0001 linux 6.1.76-1 affected_fixed 6.1.90-1"}},
    {"signed_grub", osv("CVE-2024-0001", "Debian:12", "grub2", fixed_in("2.06-13+deb12u2")),
     debian12({package("grub-efi-amd64-signed", "1+2.06+13+deb12u1")}),
     {"CVE-2024-0001 grub2 2.06-13+deb12u1 affected_fixed 2.06-13+deb12u2"}},
    {"kernels_of_two_versions", osv("CVE-2024-0001", "Debian:12", "linux", fixed_in("6.1.90-1")),
     debian12({package("linux-image-6.1.0-21-amd64", "6.1.90-1", "linux-signed-amd64", "6.1.90+1"),
               package("linux-image-6.1.0-18-amd64", "6.1.76-1", "linux-signed-amd64", "6.1.76+1")}),
     {"CVE-2024-0001 linux 6.1.76-1 affected_fixed 6.1.90-1"}},
};

const std::vector<Case> other_cases{
    {"ubuntu_long_term_release", osv("CVE-2024-0002", "Ubuntu:22.04:LTS", "curl", fixed_in("7.81.0-1ubuntu1.15")),
     machine("ubuntu", "22.04", {package("curl", "7.81.0-1ubuntu1.14")}), {"CVE-2024-0002 curl 7.81.0-1ubuntu1.14 affected_fixed 7.81.0-1ubuntu1.15"}},
    {"ubuntu_other_release", osv("CVE-2024-0002", "Ubuntu:24.04:LTS", "curl", fixed_in("9")),
     machine("ubuntu", "22.04", {package("curl", "7.81.0-1ubuntu1.14")}), {}},
    {"ubuntu_pro", osv("CVE-2024-0002", "Ubuntu:Pro:22.04:LTS", "curl", fixed_in("7.81.0-1ubuntu1.15+esm1")),
     machine("ubuntu", "22.04", {package("curl", "7.81.0-1ubuntu1.14")}), {"CVE-2024-0002 curl 7.81.0-1ubuntu1.14 affected_fixed 7.81.0-1ubuntu1.15+esm1"}},
    {"ubuntu_fips_is_another_product", osv("CVE-2024-0002", "Ubuntu:Pro:FIPS:22.04:LTS", "curl", fixed_in("9")),
     machine("ubuntu", "22.04", {package("curl", "7.81.0-1ubuntu1.14")}), {}},
    {"rpm_by_binary_name", osv("ALSA-2024:1", "AlmaLinux:9", "openssl-libs", fixed_in("1:3.0.7-25.el9_3"), R"("related":["CVE-2023-5363"])"),
     machine("almalinux", "9.3", {package("openssl-libs", "1:3.0.7-24.el9", "openssl", "3.0.7-24.el9")}, "rpm"),
     {"CVE-2023-5363 openssl 1:3.0.7-24.el9 affected_fixed 1:3.0.7-25.el9_3"}},
    {"rpm_by_source_name_takes_the_epoch_of_the_package",
     osv("RLSA-2024:1", "Rocky Linux:9", "openssl", fixed_in("1:3.0.7-25.el9_3"), R"("upstream":["CVE-2023-5363"])"),
     machine("rocky", "9.3", {package("openssl-libs", "1:3.0.7-26.el9", "openssl", "3.0.7-26.el9")}, "rpm"),
     {"CVE-2023-5363 openssl 1:3.0.7-26.el9 not_affected -"}},
    {"rpm_of_another_major_release", osv("ALSA-2024:1", "AlmaLinux:8", "openssl-libs", fixed_in("9")),
     machine("almalinux", "9.3", {package("openssl-libs", "1:3.0.7-24.el9", "openssl")}, "rpm"), {}},
    {"rpm_zero_epoch_is_none", osv("CVE-2024-0003", "Rocky Linux:9", "zlib", R"("versions":["0:1.2.11-40.el9"])"),
     machine("rocky", "9.3", {package("zlib", "1.2.11-40.el9")}, "rpm"), {"CVE-2024-0003 zlib 1.2.11-40.el9 affected_unfixed -"}},
    {"red_hat_stream", osv("RHSA-2024:1", "Red Hat:enterprise_linux:9::baseos", "zlib", fixed_in("0:1.2.11-41.el9"), R"("upstream":["CVE-2024-0003"])"),
     machine("rhel", "9.3", {package("zlib", "1.2.11-40.el9")}, "rpm"), {"CVE-2024-0003 zlib 1.2.11-40.el9 affected_fixed 0:1.2.11-41.el9"}},
    {"red_hat_extended_support_is_another_product", osv("RHSA-2024:1", "Red Hat:rhel_eus:9.2::baseos", "zlib", fixed_in("9")),
     machine("rhel", "9.3", {package("zlib", "1.2.11-40.el9")}, "rpm"), {}},
    {"alpine_by_origin", osv("CVE-2024-0004", "Alpine:v3.18", "openssl", fixed_in("3.1.4-r1")),
     machine("alpine", "3.18.4", {package("libcrypto3", "3.1.4-r0", "openssl")}, "apk"),
     {"CVE-2024-0004 openssl 3.1.4-r0 affected_fixed 3.1.4-r1"}},
    {"alpine_suffixes_of_versions", osv("CVE-2024-0004", "Alpine:v3.18", "openssl", fixed_in("3.1.4-r0")),
     machine("alpine", "3.18.4", {package("libcrypto3", "3.1.4_rc1-r5", "openssl")}, "apk"),
     {"CVE-2024-0004 openssl 3.1.4_rc1-r5 affected_fixed 3.1.4-r0"}},
    {"alpine_of_another_branch", osv("CVE-2024-0004", "Alpine:v3.19", "openssl", fixed_in("3.1.4-r1")),
     machine("alpine", "3.18.4", {package("libcrypto3", "3.1.4-r0", "openssl")}, "apk"), {}},
    {"opensuse_by_its_pretty_name",
     osv("openSUSE-SU-2024:1", "openSUSE:Leap 15.5", "zlib", fixed_in("1.2.13-150500.4.3.1"), R"("related":["CVE-2024-0003"])"),
     [] {
       auto facts = machine("opensuse-leap", "15.5", {package("libz1", "1.2.13-150500.2.3", "zlib")}, "rpm");
       facts.os.pretty_name = "openSUSE Leap 15.5";
       return facts;
     }(),
     {"CVE-2024-0003 zlib 1.2.13-150500.2.3 affected_fixed 1.2.13-150500.4.3.1"}},
};

const auto name_of = [](const testing::TestParamInfo<Case>& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(Debian, OsvMatch, testing::ValuesIn(debian_cases), name_of);
INSTANTIATE_TEST_SUITE_P(Others, OsvMatch, testing::ValuesIn(other_cases), name_of);

TEST(OsvFinding, TellsTheReasonAndEveryPackageOfTheSource) {
  const auto found = findings({{FeedKind::osv, osv("DSA-5532-1", "Debian:12", "openssl", affected, R"("upstream":["CVE-2023-5363"])")}},
                              debian12({package("openssl", "3.0.9-1"), package("libssl3", "3.0.9-1", "openssl")}));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].binaries, (std::vector<std::string>{"libssl3 amd64 3.0.9-1", "openssl amd64 3.0.9-1"}));
  EXPECT_EQ(found[0].reason, "3.0.9-1 is lower than 3.0.11-1~deb12u2");
  EXPECT_EQ(found[0].sources, std::vector<std::string>{"osv:DSA-5532-1"});
  EXPECT_EQ(found[0].advisory->aliases, std::vector<std::string>{"DSA-5532-1"});
}

TEST(OsvFinding, NamesTheOtherInstalledVersions) {
  const auto found = findings({{FeedKind::osv, osv("CVE-2024-0001", "Debian:12", "linux", fixed_in("6.1.90-1"))}},
                              debian12({package("linux-image-b", "6.1.90-1", "linux-signed-amd64", "6.1.90+1"),
                                        package("linux-image-a", "6.1.76-1", "linux-signed-amd64", "6.1.76+1")}));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].reason, "6.1.76-1 is lower than 6.1.90-1; also installed: 6.1.90-1 (not affected)");
  EXPECT_EQ(found[0].binaries.size(), 2U);
}

TEST(OsvFinding, VersionThatEndsLikeAnotherIsNamed) {
  const auto found = findings({{FeedKind::osv, osv("CVE-2024-0001", "Debian:12", "x", fixed_in("99-1"))}},
                              debian12({package("a", "1.0-1", "x"), package("b", "2.0-1", "x"), package("c", "12.0-1", "x"), package("d", "12.0-11", "x")}));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].reason, "1.0-1 is lower than 99-1; also installed: 2.0-1 (affected, fix available), "
                             "12.0-1 (affected, fix available), 12.0-11 (affected, fix available)");
}

TEST(OsvFinding, ManyPackagesOfOneSourceAreBounded) {
  std::vector<guest::Package> packages;
  for (int i = 0; i < 20'000; ++i) packages.push_back(package(fmt::format("p{:05}", i), fmt::format("1.{}-1", i), "x"));
  const auto facts = debian12(packages);
  const Database loaded = database({{FeedKind::osv, osv("CVE-2024-0001", "Debian:12", "x", fixed_in("99-1"))}}, facts);
  const auto start = std::chrono::steady_clock::now();
  const auto found = *loaded.match(facts);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  ASSERT_EQ(found.size(), 1U);
  ASSERT_EQ(found[0].binaries.size(), 51U);
  EXPECT_EQ(found[0].binaries[49], "p00049 amd64 1.49-1");
  EXPECT_EQ(found[0].binaries[50], "and 19950 more");
  EXPECT_TRUE(found[0].reason.ends_with("1.20-1 (affected, fix available) and 19979 more versions")) << found[0].reason;
}

TEST(OsvBackport, PackageIsJudgedByTheNewerReleaseOfTheRecord) {
  const auto release = [](int number, const std::string& fixed) {
    return fmt::format(R"({{"package":{{"ecosystem":"Debian:{}","name":"linux"}},{}}})", number, fixed_in(fixed));
  };
  const std::string feed = R"({"id":"DEBIAN-CVE-2024-50264","modified":"2026-01-01T00:00:00Z","affected":[)" + release(12, "6.1.119-1") + "," +
                           release(14, "6.16.3-1") + "," + release(13, "6.12.38-1") + "]}";
  const auto line = [&](const std::string& installed) { return lines(findings({{FeedKind::osv, feed}}, debian12({package("linux-image", installed, "linux")}))); };
  const std::string start = "CVE-2024-50264 linux ";
  EXPECT_EQ(line("6.12.38-1~bpo12+1"), std::vector<std::string>{start + "6.12.38-1~bpo12+1 not_affected -"});
  EXPECT_EQ(line("6.12.30-1~bpo12+1"), std::vector<std::string>{start + "6.12.30-1~bpo12+1 affected_fixed 6.12.38-1"});
  EXPECT_EQ(line("6.13.1-1~bpo12+1"), std::vector<std::string>{start + "6.13.1-1~bpo12+1 affected_fixed 6.16.3-1"});
  EXPECT_EQ(line("6.1.124-1"), std::vector<std::string>{start + "6.1.124-1 not_affected -"});
  EXPECT_EQ(line("6.1.112-1"), std::vector<std::string>{start + "6.1.112-1 affected_fixed 6.1.119-1"});
}

/// A notice on git in two releases. `focal` and `jammy` are what Ubuntu says of each: which CVEs it is about.
std::string notice(const std::string& focal, const std::string& jammy) {
  const auto in_release = [](const std::string& release, const std::string& fixed, const std::string& cves) {
    const std::string ecosystem = "Ubuntu:" + release + ":LTS";
    return R"({"package":{"ecosystem":")" + ecosystem + R"(","name":"git"},)" + fixed_in(fixed) +
           (cves.empty() ? "" : R"(,"database_specific":{"cves_map":{"ecosystem":")" + ecosystem + R"(","cves":)" + cves + "}}") + "}";
  };
  return R"({"id":"USN-6793-1","modified":"2026-01-01T00:00:00Z","upstream":["UBUNTU-CVE-2024-32002","UBUNTU-CVE-2024-32004"],"affected":[)" +
         in_release("20.04", "1:2.25.1-1ubuntu3.12", focal) + "," + in_release("22.04", "1:2.34.1-1ubuntu1.11", jammy) + "]}";
}

TEST(OsvNotice, ReleaseIsAboutTheCvesThatItsMapNames) {
  const auto focal = machine("ubuntu", "20.04", {package("git", "1:2.25.1-1ubuntu3.11")});
  const auto jammy = machine("ubuntu", "22.04", {package("git", "1:2.34.1-1ubuntu1.10")});
  const auto ids = [](const std::string& feed, const guest::Facts& facts) {
    std::string text;
    for (const auto& one : findings({{FeedKind::osv, feed}}, facts)) text += one.advisory->id.substr(9) + " ";
    return text;
  };
  const std::string both = R"(["CVE-2024-32002","CVE-2024-32004"])";
  EXPECT_EQ(ids(notice(R"(["CVE-2024-32004"])", both), focal), "32004 ");
  EXPECT_EQ(ids(notice(R"(["CVE-2024-32004"])", both), jammy), "32002 32004 ");
  EXPECT_EQ(ids(notice(R"([{"id":"CVE-2024-32004","severity":[{"type":"Ubuntu","score":"medium"}]}])", both), focal), "32004 ");
  // A CVE that only a release names.
  EXPECT_EQ(ids(notice(R"(["CVE-2024-32465"])", both), focal), "32465 ");
  for (const char* none : {"", "[]", "[7]", R"("CVE-2024-32004")", "{}"}) EXPECT_EQ(ids(notice(none, both), focal), "32002 32004 ") << none;
}

TEST(OsvSubjects, MoreVersionsThanCanBeComparedAreNotAssessed) {
  std::vector<guest::Package> packages;
  for (int i = 0; i < 20'000; ++i) packages.push_back(package(fmt::format("p{}", i), fmt::format("6.1.{}-1", i), "linux"));
  std::string feed = "[";
  for (int i = 0; i < 2'000; ++i) feed += (i > 0 ? "," : "") + osv(fmt::format("CVE-2024-{:05}", 10'000 + i), "Debian:12", "linux", fixed_in("6.1.9-1"));
  const auto facts = debian12(std::move(packages));
  const Database loaded = database({{FeedKind::osv, feed + "]"}}, facts);
  const auto start = std::chrono::steady_clock::now();
  const auto found = loaded.match(facts);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, Errc::unsupported);
  EXPECT_NE(found.error().message.find("'linux' alone is installed 20000 times in different versions"), std::string::npos) << found.error().message;
}

TEST(OsvFinding, WithdrawnTellsWhenAndWhere) {
  const auto found = findings({{FeedKind::osv, on_openssl(affected, R"("withdrawn":"2026-02-03T04:05:06Z")")}}, openssl("3.0.9-1"));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].reason, "withdrawn on 2026-02-03 (osv:CVE-2023-5363)");
}

TEST(OsvFinding, RemovedPackageIsNotAmongTheBinaries) {
  const auto found = findings({{FeedKind::osv, on_openssl(affected)}},
                              debian12({package("libssl3", "3.0.9-1", "openssl"), package("openssl", "3.0.1-1", "", "", "config-files")}));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].binaries, std::vector<std::string>{"libssl3 amd64 3.0.9-1"});
  EXPECT_EQ(found[0].installed, "3.0.9-1");
}

TEST(Coverage, FeedOfAnotherReleaseDoesNotMakeAMachineClean) {
  const auto facts = openssl("3.0.9-1");
  const Database loaded = database({{FeedKind::osv, osv("CVE-2023-5363", "Debian:11", "openssl", affected)}}, facts);
  const auto found = loaded.match(facts);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, Errc::unsupported);
  EXPECT_NE(found.error().message.find("debian 12"), std::string::npos) << found.error().message;
  EXPECT_NE(found.error().message.find("Debian 11"), std::string::npos) << found.error().message;
}

TEST(Coverage, CountsRecordsOfPackagesThatNobodyHas) {
  const auto facts = openssl("3.0.9-1");
  const Database loaded = database({{FeedKind::osv, osv("CVE-2023-5363", "Debian:12", "nginx", affected)}}, facts);
  const auto found = loaded.match(facts);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_TRUE(found->empty());
}

TEST(Coverage, PackageManagerMustBeTheDistributions) {
  const std::string feed = osv("RHSA-2024:1", "Red Hat:enterprise_linux:9::baseos", "openssl", fixed_in("9"));
  for (const auto& [manager, fits] : {std::pair("rpm", true), std::pair("dpkg", false), std::pair("apk", false)}) {
    const auto facts = machine("rhel", "9.3", {package("openssl", "1.0-1")}, manager);
    const auto found = database({{FeedKind::osv, feed}}, facts).match(facts);
    EXPECT_EQ(found.has_value(), fits) << manager;
    if (!found) {
      EXPECT_EQ(found.error().code, Errc::unsupported);
    }
  }
}

TEST(Coverage, UnknownOperatingSystemIsUnsupported) {
  const auto facts = machine("plan9", "4", {package("openssl", "1")});
  const Database loaded = database({{FeedKind::osv, on_openssl(affected)}}, facts);
  const auto found = loaded.match(facts);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, Errc::unsupported);
}

}  // namespace
}  // namespace vmpatch::advisory::test
