#include "engine/delivered.hpp"

#include <tuple>

#include "engine/unmet.hpp"
#include "unit/engine/proof_fixture.hpp"

namespace vmpatch::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class DeliveredTest : public test::ProofTest {
 protected:
  Delivered compare() {
    const auto asked = job();
    const auto compared = compare_delivered(asked, payloads_, guest_, facts_);
    EXPECT_TRUE(compared) << compared.error().message;
    return compared ? *compared : Delivered{};
  }
  void expect_finding(const std::string& part) { EXPECT_THAT(compare().findings, ElementsAre(HasSubstr(part))); }
  void expect_proved(ProofKind kind) {
    const auto compared = compare();
    EXPECT_THAT(compared.findings, IsEmpty());
    EXPECT_EQ(compared.proof(), kind);
  }
  void divert(const std::string& from, const std::string& to, const std::string& package) {
    guest_.add_file("/var/lib/dpkg/diversions", from + "\n" + to + "\n" + package + "\n");
  }
  void exclude(const std::string& pattern) { guest_.add_file("/etc/dpkg/dpkg.cfg.d/50-test", "path-exclude=" + pattern + "\n"); }
  void md5sums(const std::string& name, const std::string& text) { guest_.add_file(info(name, "md5sums"), text); }

  const test::DebSpec tool_ = spec("tool", "2.0", {{"usr/bin/tool", "new tool"}, {"usr/share/tool/data", "new data"}, {"etc/tool.conf", "x = 1"}},
                                   "/etc/tool.conf\n");
  const test::DebSpec old_ = spec("tool", "1.0", {{"usr/bin/tool", "old tool"}, {"usr/share/tool/data", "new data"}, {"etc/tool.conf", "x = 1"}},
                                  "/etc/tool.conf\n");
};

TEST_F(DeliveredTest, files_links_and_hard_links_of_the_installed_version_prove_it) {
  auto with_links = tool_;
  with_links.links = true;
  offer(with_links);
  install(with_links);
  const auto compared = compare();
  EXPECT_THAT(compared.findings, IsEmpty());
  EXPECT_EQ(compared.proof(), ProofKind::delivered);
  EXPECT_EQ(compared.compared, 6U);
  guest_.add_file("/usr/lib/links/two", "other");
  expect_finding("package tool 2.0: 1 files are not what it delivers: /usr/lib/links/two");
  guest_.add_file("/usr/lib/links/two", "linked");
  guest_.add_link("/usr/lib/links/soft", "../old");
  expect_finding("/usr/lib/links/soft");
}

TEST_F(DeliveredTest, right_version_over_an_old_file_is_a_finding) {
  offer(tool_);
  install(old_, "2.0");
  expect_finding("package tool 2.0: 1 files are not what it delivers: /usr/bin/tool");
}

TEST_F(DeliveredTest, old_files_are_found_though_every_path_is_excluded) {
  offer(tool_);
  install(old_, "2.0");
  exclude("/*");
  expect_finding("1 files are not what it delivers: /usr/bin/tool");
}

TEST_F(DeliveredTest, excluded_and_absent_is_as_dpkg_leaves_it_and_does_not_count) {
  offer(tool_);
  install(tool_);
  guest_.remove("/usr/share/tool/data");
  expect_finding("1 files are not what it delivers: /usr/share/tool/data");
  exclude("/usr/share/tool/*");
  const auto compared = compare();
  EXPECT_THAT(compared.findings, IsEmpty());
  EXPECT_EQ(compared.compared, 2U);
  EXPECT_EQ(compared.excluded, 1U);
}

TEST_F(DeliveredTest, package_of_which_nothing_could_be_compared_is_not_proved) {
  offer(tool_);
  install(tool_);
  exclude("/*");
  for (const auto* path : {"/usr/bin/tool", "/usr/share/tool/data", "/etc/tool.conf"}) guest_.remove(path);
  expect_finding("package tool 2.0 is not proved: none of its 3 files could be compared: 2 are left out by the guest's dpkg.cfg, 1 are changed conffiles");
}

TEST_F(DeliveredTest, changed_conffile_is_the_administrators_and_an_unchanged_one_counts) {
  offer(spec("only-conf", "2.0", {{"etc/only.conf", "x = 1"}}, "/etc/only.conf\n"));
  install(spec("only-conf", "2.0", {{"etc/only.conf", "x = 1"}}, "/etc/only.conf\n"));
  expect_proved(ProofKind::delivered);
  guest_.add_file("/etc/only.conf", "x = 2");
  expect_finding("not proved: none of its 1 files could be compared");
}

TEST_F(DeliveredTest, package_without_files_rests_on_the_database_alone) {
  offer(spec("meta", "2.0", {}));
  install(spec("meta", "2.0", {}));
  expect_proved(ProofKind::own_lists);
  EXPECT_THAT(compare().weak, ElementsAre(HasSubstr("meta 2.0 has no files")));
}

TEST_F(DeliveredTest, package_of_links_only_is_proved_by_them) {
  auto links = spec("links", "2.0", {});
  links.links = true;
  links.hard_links = false;
  offer(links);
  install(links);
  expect_proved(ProofKind::delivered);
  EXPECT_EQ(compare().compared, 1U);
  exclude("/*");
  guest_.remove("/usr/lib/links/soft");
  expect_finding("package links 2.0 is not proved: none of its 1 links could be compared: 1 are left out by the guest's dpkg.cfg;");
}

TEST_F(DeliveredTest, links_left_out_do_not_count_as_files) {
  auto with_links = tool_;
  with_links.links = true;
  offer(with_links);
  install(with_links);
  exclude("/*");
  for (const auto* path : {"/usr/bin/tool", "/usr/share/tool/data", "/etc/tool.conf", "/usr/lib/links/one", "/usr/lib/links/two", "/usr/lib/links/soft"}) {
    guest_.remove(path);
  }
  expect_finding("none of its 5 files could be compared: 4 are left out by the guest's dpkg.cfg, 1 are changed conffiles");
}

TEST_F(DeliveredTest, recipe_none_of_whose_packages_is_installed_says_so) {
  offer(tool_);
  expect_proved(ProofKind::not_installed);
  EXPECT_THAT(compare().checks(), testing::Contains("not installed: tool"));
  const auto other = spec("other", "2.0", {{"usr/bin/other", "other"}});
  offer(other);
  install(other);
  expect_proved(ProofKind::delivered);
  EXPECT_THAT(compare().checks(), testing::Contains("not installed: tool"));
  facts_.package_manager = "rpm";
  facts_.packages.clear();
  expect_proved(ProofKind::not_installed);
}

TEST_F(DeliveredTest, newer_version_is_proved_by_its_own_lists_and_that_is_said) {
  offer(tool_);
  install(spec("tool", "3.0", {{"usr/bin/tool", "newest tool"}}));
  const auto compared = compare();
  EXPECT_THAT(compared.findings, IsEmpty());
  EXPECT_EQ(compared.proof(), ProofKind::own_lists);
  EXPECT_THAT(compared.weak, ElementsAre("tool 3.0"));
  EXPECT_EQ(compared.compared_own, 1U);
  EXPECT_THAT(compared.checks(), testing::Contains(HasSubstr("weaker proof, by the guest's own lists")));
}

TEST_F(DeliveredTest, forged_newer_version_fails_as_long_as_the_lists_are_not_forged_with_it) {
  offer(tool_);
  install(tool_, "999");
  guest_.add_file("/usr/bin/tool", "old tool");
  expect_finding("package tool 999: 1 files are not what its own md5sums list says: /usr/bin/tool");
}

TEST_F(DeliveredTest, own_list_that_leaves_out_a_file_is_a_finding) {
  offer(tool_);
  install(old_, "999");
  const auto data = test::md5_hex("new data") + "  usr/share/tool/data\n";
  md5sums("tool", data);
  expect_finding("1 files are there that its own md5sums list does not name: /usr/bin/tool");
  guest_.add_file(info("tool", "list"), "/.\n/usr/share/tool/data\n");
  expect_finding("1 files are there that its own md5sums list does not name: /usr/bin/tool");
}

TEST_F(DeliveredTest, missing_or_malformed_own_list_is_a_finding) {
  offer(tool_);
  install(tool_, "999");
  guest_.remove(info("tool", "md5sums"));
  expect_finding("package tool 999 is not proved: /var/lib/dpkg/info/tool.md5sums is missing");
  md5sums("tool", "nonsense\n");
  expect_finding("tool.md5sums: line 1: expected");
  md5sums("tool", "");
  guest_.add_file(info("tool", "list"), "/.\n");
  for (const auto& [path, content] : tool_.files) guest_.remove("/" + path);
  expect_finding("package tool 999 is not proved: its own md5sums list names no file");
}

TEST_F(DeliveredTest, own_list_that_calls_a_program_a_conffile_hides_nothing) {
  offer(tool_);
  install(tool_, "999");
  guest_.add_file(info("tool", "conffiles"), "/usr/bin/tool\n/etc/tool.conf\n");
  guest_.add_file("/usr/bin/tool", "old tool");
  guest_.add_file("/etc/tool.conf", "x = 2");
  expect_finding("1 files are not what its own md5sums list says: /usr/bin/tool");
}

TEST_F(DeliveredTest, package_that_is_only_checked_is_proved_by_its_own_lists) {
  recipe_.verify.emplace_back(recipe::check::Package{"tool", {recipe::VersionBound::Op::ge, "1.0"}});
  recipe_.steps.emplace_back(recipe::step::File{"/etc/motd", "x", {}, false, {}, {}, {}});
  install(tool_);
  expect_proved(ProofKind::own_lists);
  guest_.add_file("/usr/bin/tool", "other");
  expect_finding("not what its own md5sums list says");
  md5sums("tool", test::md5_hex("new data") + "  usr/share/tool/data\n");
  guest_.remove("/etc/tool.conf");
  expect_finding("1 files are there that its own md5sums list does not name: /usr/bin/tool");
  facts_.package_manager = "rpm";
  expect_finding("package tool 2.0 is not proved: files of a package of 'rpm' cannot be compared");
}

TEST_F(DeliveredTest, copy_of_another_architecture_is_asked_too) {
  offer(tool_);
  install(tool_);
  guest::Package foreign = facts_.packages.front();
  foreign.arch = "i386";
  facts_.packages.push_back(foreign);
  guest_.add_file(info("tool:i386", "list"), "/.\n/usr/lib/i386/tool\n");
  guest_.add_file(info("tool:i386", "md5sums"), test::md5_hex("foreign") + "  usr/lib/i386/tool\n");
  guest_.add_file("/usr/lib/i386/tool", "old foreign");
  guest_.remove(info("tool", "list"));
  guest_.remove(info("tool", "md5sums"));
  expect_finding("/usr/lib/i386/tool");
  guest_.add_file("/usr/lib/i386/tool", "foreign");
  expect_proved(ProofKind::own_lists);
}

TEST_F(DeliveredTest, package_that_the_database_denies_is_found_by_its_files) {
  offer(tool_);
  expect_proved(ProofKind::not_installed);
  guest_.add_file("/usr/bin/tool", "old tool");
  expect_finding("package tool: 1 of its files are there, though it is not installed: /usr/bin/tool");
}

TEST_F(DeliveredTest, package_that_the_database_has_twice_is_a_finding) {
  offer(tool_);
  install(tool_);
  auto other = facts_.packages.front();
  other.version = "1.0";
  facts_.packages.push_back(other);
  expect_finding("package tool is in the package database twice");
}

/// A guest with a folder whose links lead in a circle.
class CircularGuest final : public guest::FakeGuest {
 public:
  explicit CircularGuest(const guest::FakeGuest& other) : FakeGuest(other) {}
  Result<guest::FileStat> lstat(const std::string& path) override {
    if (path.starts_with("/usr/share/tool/")) return make_error(Errc::failed, "too many symbolic links");
    return FakeGuest::lstat(path);
  }
};

TEST_F(DeliveredTest, file_that_nobody_can_look_at_is_no_absent_file) {
  offer(tool_);
  install(tool_);
  exclude("/usr/share/tool/*");
  guest_.remove("/usr/share/tool/data");
  CircularGuest circular(guest_);
  const auto asked = job();
  const auto compared = compare_delivered(asked, payloads_, circular, facts_);
  ASSERT_TRUE(compared) << compared.error().message;
  EXPECT_THAT(compared->findings, ElementsAre(HasSubstr("1 files are not what it delivers: /usr/share/tool/data")));
}

TEST_F(DeliveredTest, file_of_an_absent_package_may_belong_to_another_one) {
  offer(tool_);
  install(spec("other-tool", "1.0", {{"usr/bin/tool", "other tool"}}));
  expect_proved(ProofKind::not_installed);
  guest_.add_file("/usr/bin/tool", "old tool");
  expect_finding("though it is not installed: /usr/bin/tool");
}

TEST_F(DeliveredTest, diverted_file_is_compared_where_it_is_diverted_to) {
  offer(tool_);
  install(tool_);
  divert("/usr/bin/tool", "/usr/bin/tool.real", "wrapper");
  guest_.remove("/usr/bin/tool");
  expect_finding("1 files are not what it delivers: /usr/bin/tool.real");
  guest_.add_file("/usr/bin/tool.real", "new tool");
  expect_proved(ProofKind::delivered);
}

TEST_F(DeliveredTest, what_lies_in_the_place_of_a_diverted_file_belongs_to_the_package_that_diverts) {
  offer(tool_);
  install(tool_);
  divert("/usr/bin/tool", "/usr/bin/tool.real", "wrapper");
  guest_.add_file("/usr/bin/tool.real", "new tool");
  guest_.add_file("/usr/bin/tool", "old tool");
  expect_finding("1 diverted files have something else in their place that no package owns: /usr/bin/tool");
  install(spec("wrapper", "1.0", {{"usr/bin/tool", "wrapper"}}));
  expect_proved(ProofKind::own_lists);
  guest_.add_file("/usr/bin/tool", "old tool");
  expect_finding("in their place that no package owns: /usr/bin/tool");
}

TEST_F(DeliveredTest, file_of_the_diverting_package_is_compared_with_its_payload_where_there_is_one) {
  offer(tool_);
  const auto wrapper = spec("wrapper", "2.0", {{"usr/bin/tool", "wrapper"}});
  offer(wrapper);
  install(tool_);
  install(wrapper);
  divert("/usr/bin/tool", "/usr/bin/tool.real", "wrapper");
  guest_.add_file("/usr/bin/tool.real", "new tool");
  expect_proved(ProofKind::delivered);
}

TEST_F(DeliveredTest, local_diversion_over_an_old_file_is_a_finding) {
  offer(tool_);
  install(tool_);
  divert("/usr/bin/tool", "/usr/bin/tool.new", ":");
  guest_.add_file("/usr/bin/tool.new", "new tool");
  guest_.add_file("/usr/bin/tool", "old tool");
  expect_finding("in their place that no package owns: /usr/bin/tool");
  guest_.remove("/usr/bin/tool");
  expect_proved(ProofKind::delivered);
}

TEST_F(DeliveredTest, file_that_is_diverted_to_where_another_one_belongs_is_a_finding) {
  offer(tool_);
  install(tool_);
  guest_.add_file("/usr/bin/tool", "new data");
  guest_.remove("/usr/share/tool/data");
  for (const auto* owner : {":", "wrapper"}) {
    divert("/usr/share/tool/data", "/usr/bin/tool", owner);
    expect_finding("package tool 2.0: 1 files are diverted to where another one belongs: /usr/share/tool/data in /usr/bin/tool; remove the diversion");
  }
  // The same by a list of the guest, and where the other file is a link.
  facts_.packages.front().version = "999";
  EXPECT_THAT(compare().findings, testing::Contains(HasSubstr("diverted to where another one belongs: /usr/share/tool/data in /usr/bin/tool")));
}

TEST_F(DeliveredTest, file_diverted_to_where_a_link_belongs_is_a_finding) {
  auto with_links = tool_;
  with_links.links = true;
  offer(with_links);
  install(with_links);
  guest_.add_file("/usr/lib/target", "new data");
  guest_.remove("/usr/share/tool/data");
  divert("/usr/share/tool/data", "/usr/lib/links/soft", ":");
  EXPECT_THAT(compare().findings, testing::Contains(HasSubstr("/usr/share/tool/data in /usr/lib/links/soft")));
}

TEST_F(DeliveredTest, file_diverted_to_that_of_an_absent_package_does_not_make_it_absent) {
  offer(tool_);
  const auto other = spec("other", "2.0", {{"usr/bin/other", "old"}, {"usr/share/other", "other"}});
  offer(other);
  install(tool_);
  divert("/usr/share/tool/data", "/usr/bin/other", ":");
  guest_.remove("/usr/share/tool/data");
  guest_.add_file("/usr/bin/other", "new data");
  expect_finding("package other: 1 of its files are there, though it is not installed: /usr/bin/other");
}

TEST_F(DeliveredTest, mode_or_owner_that_gives_more_away_is_a_finding) {
  offer(tool_);
  install(tool_);
  for (const auto& [mode, uid, gid, shown] : std::vector<std::tuple<unsigned, unsigned, unsigned, const char*>>{
           {04755, 0, 0, "4755 0:0"}, {02755, 0, 7, "2755 0:7"}, {0646, 0, 0, "0646 0:0"}, {0664, 0, 0, "0664 0:0"}, {0644, 1000, 0, "0644 1000:0"}}) {
    guest_.add_file("/usr/bin/tool", "new tool", mode, uid, gid);
    expect_finding("package tool 2.0: 1 files give more away than it says: /usr/bin/tool is " + std::string(shown) + ", delivered as 0644 0:0; restore them");
  }
  guest_.add_file("/srv/tool", "new tool");
  guest_.add_link("/usr/bin/tool", "/srv/tool");
  expect_finding("/usr/bin/tool is a link");
}

TEST_F(DeliveredTest, mode_that_gives_nothing_away_is_told) {
  offer(tool_);
  install(tool_);
  for (const unsigned mode : {0600U, 0640U, 0755U}) {
    guest_.add_file("/usr/bin/tool", "new tool", mode);
    expect_proved(ProofKind::delivered);
    EXPECT_THAT(compare().permissions, ElementsAre(HasSubstr("/usr/bin/tool is ")));
  }
}

TEST_F(DeliveredTest, mode_by_statoverride_is_told_and_another_one_is_a_finding) {
  offer(tool_);
  install(tool_);
  guest_.add_file("/etc/group", "root:x:0:\ntools:x:105:\n");
  guest_.add_file("/usr/bin/tool", "new tool", 04750, 0, 105);
  guest_.add_file("/var/lib/dpkg/statoverride", "root tools 4750 /usr/bin/tool\n");
  expect_proved(ProofKind::delivered);
  EXPECT_THAT(compare().permissions, ElementsAre(HasSubstr("by dpkg-statoverride 4750 0:105")));
  guest_.add_file("/usr/bin/tool", "new tool", 06750, 0, 105);
  expect_finding("/usr/bin/tool is 6750 0:105");
  guest_.add_file("/var/lib/dpkg/statoverride", "root tools 4750\n");
  EXPECT_THAT(compare().findings, testing::Contains(HasSubstr("/var/lib/dpkg/statoverride: line 1: expected")));
}

TEST_F(DeliveredTest, mode_that_the_packages_own_script_may_have_set_is_told_unless_all_may_write) {
  auto agent = tool_;
  agent.postinst = "#!/bin/sh\nchgrp _ssh /usr/bin/tool\nchmod 2755 /usr/bin/tool\n# /usr/share/tool/database\n";
  offer(agent);
  install(agent);
  guest_.add_file("/usr/bin/tool", "new tool", 02755, 0, 105);
  expect_proved(ProofKind::delivered);
  EXPECT_THAT(compare().permissions, ElementsAre(HasSubstr("by its own script")));
  guest_.add_file("/usr/bin/tool", "new tool", 02757, 0, 105);
  expect_finding("/usr/bin/tool is 2757 0:105");
  guest_.add_file("/usr/bin/tool", "new tool");
  guest_.add_file("/usr/share/tool/data", "new data", 04755);  // the script names another file that begins so
  expect_finding("/usr/share/tool/data is 4755 0:0");
}

TEST_F(DeliveredTest, mode_of_a_conffile_is_the_administrators_unless_it_may_run_as_another_or_all_may_write) {
  offer(tool_);
  install(tool_);
  guest_.add_file("/etc/tool.conf", "x = 2", 0660, 1000, 7);
  expect_proved(ProofKind::delivered);
  for (const unsigned mode : {0666U, 04755U, 02755U}) {
    guest_.add_file("/etc/tool.conf", "x = 2", mode);
    expect_finding("/etc/tool.conf is ");
  }
}

TEST_F(DeliveredTest, content_that_a_later_step_edits_is_the_weaker_proof) {
  recipe_.steps.emplace_back(recipe::step::File{"/etc/app.conf", "a = 1\n", {}, false, {}, {}, {}});
  expect_proved(ProofKind::delivered);
  recipe_.steps.emplace_back(recipe::step::Edit{"/etc/app.conf", "simplevars", {{"b", "2"}}, {}});
  expect_proved(ProofKind::own_lists);
  EXPECT_THAT(compare().weak, ElementsAre("/etc/app.conf, of which only what a later step edits is compared"));
}

TEST_F(DeliveredTest, malformed_diversions_are_a_finding) {
  offer(tool_);
  install(tool_);
  guest_.add_file("/var/lib/dpkg/diversions", "/usr/bin/tool\nnonsense\n:\n");
  expect_finding("/var/lib/dpkg/diversions: line 2: nonsense is no normal path");
}

TEST_F(DeliveredTest, hostile_paths_are_escaped_and_long_lists_cut) {
  offer(tool_);
  install(tool_, "999");
  std::string sums = test::md5_hex("new tool") + "  usr/bin/tool\n";
  for (int i = 0; i < 50; ++i) sums += test::md5_hex("x") + "  usr/share/\x1b[31m" + std::to_string(i) + "\n";
  md5sums("tool", sums);
  guest_.add_file(info("tool", "list"), "/.\n/usr/bin/tool\n");
  for (const auto* path : {"/usr/share/tool/data", "/etc/tool.conf"}) guest_.remove(path);
  const auto findings = compare().findings;
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0], HasSubstr("50 files are not what its own md5sums list says"));
  EXPECT_THAT(findings[0], HasSubstr("\\x1B[31m"));
  EXPECT_EQ(findings[0].find('\x1b'), std::string::npos);
  EXPECT_LT(findings[0].size(), 600U);
}

TEST_F(DeliveredTest, held_older_package_is_unmet_by_step_and_check) {
  offer(tool_);
  install(old_);
  facts_.packages.front().status = "hold ok installed";
  const auto asked = job();
  const auto findings = ask_steps_and_checks(asked, payloads_, guest_, facts_, {});
  ASSERT_TRUE(findings) << findings.error().message;
  EXPECT_THAT(findings->unmet, ElementsAre("package tool is held at 1.0, wanted 2.0", HasSubstr("held at 1.0")));
}

}  // namespace
}  // namespace vmpatch::engine
