#include "vmpatch/recipe/recipe.hpp"

#include <gmock/gmock.h>

#include "unit/recipe/sample.hpp"

namespace vmpatch::recipe {
namespace {

using test::replaced;
using test::sample_recipe;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

void expect_untrusted(const std::string& yaml, std::string_view position, std::string_view part) {
  const auto recipe = parse_unverified_recipe(yaml, "R.yaml");
  ASSERT_FALSE(recipe) << "expected: " << part;
  EXPECT_EQ(recipe.error().code, Errc::untrusted);
  EXPECT_THAT(recipe.error().message, StartsWith("R.yaml:" + std::string(position)));
  EXPECT_THAT(recipe.error().message, HasSubstr(std::string(part)));
}

void expect_changed_untrusted(const std::string& from, const std::string& to, std::string_view position,
                              std::string_view part) {
  expect_untrusted(replaced(sample_recipe(), from, to), position, part);
}

TEST(RecipeParser, the_example_is_read_whole) {
  const auto recipe = parse_unverified_recipe(sample_recipe(), "R.yaml");
  ASSERT_TRUE(recipe) << recipe.error().message;
  EXPECT_EQ(recipe->id, "debian-12-openssl-dsa-0000");
  EXPECT_EQ(recipe->version, 3U);
  EXPECT_EQ(recipe->severity, Severity::critical);
  EXPECT_EQ(format_time(*recipe->expires), "2027-02-01T00:00:00Z");
  EXPECT_THAT(recipe->fixes, ElementsAre("CVE-2026-0001"));
  EXPECT_EQ(recipe->applies_to.os_id, "debian");
  EXPECT_THAT(recipe->applies_to.version_id, ElementsAre("12"));
  EXPECT_THAT(recipe->applies_to.arch, ElementsAre("x86_64"));
  EXPECT_EQ(recipe->applies_to.packages.at("libssl3").text(), "< 3.0.22-1~deb12u2");
  ASSERT_EQ(recipe->payloads.size(), 4U);
  EXPECT_EQ(recipe->find_payload("libssl3.deb")->size, 2029264U);
  EXPECT_EQ(recipe->find_payload("absent"), nullptr);
  std::vector<std::string_view> kinds;
  for (const auto& step : recipe->steps) kinds.push_back(kind_of(step));
  EXPECT_THAT(kinds, ElementsAre("packages", "file", "edit", "service", "unarchive", "run", "firstboot"));
  const auto& file = std::get<step::File>(recipe->steps[1]);
  EXPECT_EQ(file.content, "hello\n");
  EXPECT_EQ(file.mode, 0644U);
  EXPECT_EQ(std::get<step::Run>(recipe->steps[5]).timeout, Seconds(120));
  ASSERT_EQ(recipe->verify.size(), 2U);
  EXPECT_EQ(std::get<check::Package>(recipe->verify[0]).bound.op, VersionBound::Op::ge);
}

TEST(RecipeParser, version_id_may_be_a_list_and_optional_parts_may_be_absent) {
  const auto recipe = parse_unverified_recipe(
      "schema: vm-patch/recipe/v1\nid: a-b\nversion: 1\ntitle: t\nissued: 2026-01-01\n"
      "applies_to: {os: {id: debian, version_id: [\"11\", \"12\"]}}\nsteps:\n  - file: {path: /a, absent: true}\n",
      "R");
  ASSERT_TRUE(recipe) << recipe.error().message;
  EXPECT_THAT(recipe->applies_to.version_id, ElementsAre("11", "12"));
  EXPECT_FALSE(recipe->expires);
  EXPECT_EQ(recipe->severity, Severity::none);
}

TEST(RecipeParser, strict_yaml_errors_are_untrusted_with_place) {
  expect_changed_untrusted("version: 3\n", "version: 3\nversion: 4\n", "4:1", "duplicate key 'version'");
  expect_changed_untrusted("fixes: [", "fixes: &a [", "8:8", "anchors");
  expect_changed_untrusted("issued: ", "issued: !!str ", "5:9", "tags");
  expect_changed_untrusted("applies_to:\n", "applies_to:\n  <<: {}\n", "10:3", "merge keys");
  expect_untrusted(sample_recipe() + "---\nschema: x\n", "29:1", "only one YAML document");
  expect_untrusted(sample_recipe() + "x: *a\n", "29:", "");
}

TEST(RecipeParser, unknown_keys_are_refused_everywhere) {
  expect_untrusted(sample_recipe() + "extra: 1\n", "29:1", "unknown key 'extra'");
  expect_changed_untrusted("  arch: [x86_64]", "  arch: [x86_64]\n  hosts: [a]", "12:3", "unknown key 'hosts'");
  expect_changed_untrusted("{id: debian, ", "{id: debian, like: x, ", "10:20", "unknown key 'like'");
  expect_changed_untrusted("size: 10}", "size: 10, url: x}", "15:", "unknown key 'url'");
  expect_changed_untrusted("conffiles: keep", "conffiles: keep, force: true", "19:", "unknown key 'force'");
  expect_changed_untrusted("group: root", "group: root, acl: x", "20:", "unknown key 'acl'");
  expect_changed_untrusted("lens: sshd", "lens: sshd, how: x", "21:", "unknown key 'how'");
  expect_changed_untrusted("state: masked", "state: masked, now: true", "22:", "unknown key 'now'");
  expect_changed_untrusted("into: /opt/app", "into: /opt/app, strip: 1", "23:", "unknown key 'strip'");
  expect_changed_untrusted("timeout: 120s", "timeout: 120s, user: x", "24:", "unknown key 'user'");
  expect_changed_untrusted("{payload: finish.sh}", "{payload: finish.sh, x: 1}", "25:", "unknown key 'x'");
  expect_changed_untrusted("10-patched, mode: \"0644\"}", "10-patched, mod: \"0644\"}", "28:", "unknown key 'mod'");
}

TEST(RecipeParser, unknown_step_and_check_kinds_are_refused_by_name) {
  expect_changed_untrusted("- firstboot: {payload: finish.sh}", "- reboot: {payload: finish.sh}", "25:5",
                           "no step of kind 'reboot'; it knows: packages, file");
  expect_changed_untrusted("- package: {libssl3", "- port: {libssl3", "27:5", "no check of kind 'port'");
  expect_changed_untrusted("- firstboot: {", "- firstboot: {payload: finish.sh}\n    run: {", "25:5",
                           "exactly one key");
}

TEST(RecipeParser, payloads_must_be_declared_and_used) {
  expect_changed_untrusted("install: [libssl3.deb]", "install: [other.deb]", "19:26", "'other.deb' is not declared");
  expect_changed_untrusted("  - firstboot: {payload: finish.sh}\n", "", "17:12", "'finish.sh' is used by no step");
  expect_changed_untrusted("name: finish.sh", "name: migrate.sh", "17:12", "declared twice");
  expect_changed_untrusted("name: finish.sh", "name: ../finish.sh", "17:12", "not a plain file name");
  expect_changed_untrusted("name: finish.sh", "name: .finish", "17:12", "not a plain file name");
  expect_changed_untrusted(test::digest_d, test::digest_c, "17:", "same sha256 and another size");
}

TEST(RecipeParser, paths_must_be_absolute_and_normal) {
  for (const auto* path :
       {"etc/x", "/", "/etc/", "//etc/x", "/etc//x", "/etc/./x", "/etc/../x", "/..", "\"\"", "\"/a\\nb\""})
    expect_changed_untrusted("path: /etc/motd.d/10-patched, content", std::string("path: ") + path + ", content",
                             "20:18", "must be absolute and normal");
  expect_changed_untrusted("into: /opt/app", "into: opt/app", "23:", "must be absolute and normal");
  EXPECT_TRUE(parse_unverified_recipe(replaced(sample_recipe(), "into: /opt/app", "into: /"), "R"));
  expect_changed_untrusted("/etc/ssh/sshd_config", "/etc/../sshd_config", "21:", "must be absolute and normal");
}

TEST(RecipeParser, steps_that_hide_their_effect_need_a_check) {
  const auto head =
      "schema: vm-patch/recipe/v1\nid: a-b\nversion: 1\ntitle: t\nissued: 2026-01-01\napplies_to: {os: {id: debian}}\n"
      "payloads:\n  - {name: p, sha256: \"" +
      test::digest_a + "\", size: 1}\nsteps:\n";
  for (const auto* step : {"run: {payload: p}", "firstboot: {payload: p}", "unarchive: {payload: p, into: /opt}"}) {
    const auto yaml = head + "  - " + step + "\n";
    expect_untrusted(yaml, "10:5", "at least one entry under verify");
    expect_untrusted(yaml + "verify: []\n", "10:5", "at least one entry under verify");
    EXPECT_TRUE(parse_unverified_recipe(yaml + "verify:\n  - file: {path: /opt/x}\n", "R"));
  }
}

TEST(RecipeParser, values_out_of_range_are_refused) {
  expect_changed_untrusted("recipe/v1", "recipe/v2", "1:9", "schema 'vm-patch/recipe/v2' is not known");
  expect_changed_untrusted("id: debian-12", "id: Debian-12", "2:5", "an id has");
  expect_changed_untrusted("version: 3", "version: 0", "3:10", "whole number");
  expect_changed_untrusted("version: 3", "version: 4294967296", "3:10", "whole number");
  expect_changed_untrusted("issued: 2026-11-01", "issued: soon", "5:9", "date");
  expect_changed_untrusted("expires: 2027-02-01", "expires: 2026-11-01", "6:10", "later than issued");
  expect_changed_untrusted("severity: critical", "severity: bad", "7:11", "severity 'bad'");
  expect_changed_untrusted("CVE-2026-0001", "cve", "8:9", "not an id");
  expect_changed_untrusted("[CVE-2026-0001]", "[CVE-2026-0001, CVE-2026-0001]", "8:24", "twice");
  expect_changed_untrusted("\"< 3.0.22-1~deb12u2\"", "3.0.22", "12:", "version bound");
  expect_changed_untrusted("\"< 3.0.22-1~deb12u2\"", "\"< \"", "12:", "version bound");
  expect_changed_untrusted(test::digest_a, "abc", "14:", "sha256");
  expect_changed_untrusted(test::digest_a, std::string(64, 'A'), "14:", "sha256");
  expect_changed_untrusted("size: 2029264", "size: -1", "14:", "whole number");
  expect_changed_untrusted("conffiles: keep", "conffiles: ask", "19:", "keep or replace");
  expect_changed_untrusted("install: [libssl3.deb]", "install: [libssl3.deb, libssl3.deb]", "19:", "listed twice");
  expect_changed_untrusted("install: [libssl3.deb]", "install: [migrate.sh]", "19:", "only .deb");
  expect_changed_untrusted("mode: \"0644\"", "mode: \"0999\"", "20:", "octal");
  expect_changed_untrusted("mode: \"0644\"", "mode: \"10644\"", "20:", "octal");
  expect_changed_untrusted("owner: root", "owner: \"a b\"", "20:", "user or group");
  expect_changed_untrusted("content: \"hello\\n\"", "content: x, absent: true", "20:", "exactly one of");
  expect_changed_untrusted("content: \"hello\\n\"", "content: x, folder: true", "20:", "it needs absent");
  expect_changed_untrusted("content: \"hello\\n\"", "absent: true, folder: false", "20:", "folder can only be true");
  expect_changed_untrusted("content: \"hello\\n\", ", "", "20:", "exactly one of");
  expect_changed_untrusted("lens: sshd", "lens: /sshd", "21:", "lens");
  expect_changed_untrusted("PermitRootLogin:", "\"../x\":", "21:", "leads out");
  expect_changed_untrusted("PermitRootLogin:", "\"a | /files/etc/passwd\":", "21:", "leads out");
  expect_changed_untrusted("set: {PermitRootLogin: \"no\"}, ", "", "21:", "set or remove");
  expect_changed_untrusted("telnetd.socket", "telnetd", "22:", "unit name");
  expect_changed_untrusted("telnetd.socket", "../x.service", "22:", "unit name");
  expect_changed_untrusted("state: masked", "state: started", "22:", "state 'started'");
  expect_changed_untrusted("timeout: 120s", "timeout: 0s", "24:", "duration");
  expect_changed_untrusted("timeout: 120s", "timeout: 5h", "24:", "at most 4h");
}

TEST(RecipeWriter, written_recipe_reads_back_as_the_same) {
  const auto recipe = parse_unverified_recipe(sample_recipe(), "R");
  ASSERT_TRUE(recipe);
  auto changed = *recipe;
  changed.title = "yes: \"quoted\" # and more";
  changed.applies_to.version_id = {"11", "12"};
  changed.steps.emplace_back(step::File{"/etc/x y", std::nullopt, "migrate.sh", false, 04755U, "1000", std::nullopt});
  changed.steps.emplace_back(step::File{
      .path = "/etc/gone", .content = {}, .payload = {}, .absent = true, .mode = {}, .owner = {}, .group = {}});
  changed.steps.emplace_back(step::File{"/opt/old", {}, {}, true, {}, {}, {}, true});
  changed.steps.emplace_back(
      step::File{"/etc/big", std::string(5000, 'x') + "\n\ttab \"q\" \\ \xc3\xa4\n", std::nullopt, false, {}, {}, {}});
  changed.steps.emplace_back(
      step::Edit{"/etc/hosts", "Hosts", {{"1/ipaddr", "127.0.0.1"}}, {"2", "*[canonical = 'x']"}});
  changed.steps.emplace_back(step::Run{"migrate.sh", {"--all", "a b", ""}, Seconds(7200)});
  changed.verify.emplace_back(check::File{"/etc/gone", true, {}, {}, {}, {}, {}});
  changed.verify.emplace_back(check::File{"/etc/x", false, sha256("x"), 0600U, "root", "adm", "x\n"});
  changed.verify.emplace_back(check::Service{"ssh.service", step::UnitState::disabled});
  for (const auto& original : {*recipe, changed}) {
    const auto text = write_recipe(original);
    const auto again = parse_unverified_recipe(text, "W");
    ASSERT_TRUE(again) << again.error().message << "\n" << text;
    EXPECT_EQ(write_recipe(*again), text);
    EXPECT_EQ(again->title, original.title);
    EXPECT_EQ(again->issued, original.issued);
    EXPECT_EQ(again->applies_to.version_id, original.applies_to.version_id);
    ASSERT_EQ(again->steps.size(), original.steps.size());
    ASSERT_EQ(again->verify.size(), original.verify.size());
    for (std::size_t i = 0; i < original.steps.size(); ++i)
      EXPECT_EQ(describe(again->steps[i]), describe(original.steps[i]));
    for (std::size_t i = 0; i < original.verify.size(); ++i)
      EXPECT_EQ(describe(again->verify[i]), describe(original.verify[i]));
  }
  const auto again = parse_unverified_recipe(write_recipe(changed), "W");
  EXPECT_EQ(std::get<step::File>(again->steps[10]).content, std::get<step::File>(changed.steps[10]).content);
  EXPECT_EQ(std::get<step::Run>(again->steps[12]).args, std::get<step::Run>(changed.steps[12]).args);
  EXPECT_EQ(std::get<check::File>(again->verify[3]).content, "x\n");
}

TEST(RecipeDescription, is_one_safe_line) {
  EXPECT_EQ(describe(Step(step::Packages{{"libssl3.deb", "openssl.deb"}, Conffiles::keep})),
            "install libssl3.deb, openssl.deb (keep conffiles)");
  const Step many(step::Packages{{"a.deb", "b.deb", "c.deb", "d.deb"}, Conffiles::replace});
  EXPECT_EQ(describe(many), "install a.deb, b.deb, c.deb, d.deb (replace conffiles)");
  EXPECT_EQ(summarize(many), "install 4 packages (replace conffiles)");
  EXPECT_EQ(describe(Step(step::Edit{"/etc/x", "sshd", {{"A", "b\nc"}}, {}})), "edit /etc/x: set A to b\\nc");
}

TEST(VersionBound, operators_read_back) {
  for (const auto* text : {"< 1", "<= 1", "= 1:2-3", ">= 1~rc1", "> 1+b2"})
    EXPECT_EQ(VersionBound::parse(text)->text(), text);
  EXPECT_EQ(VersionBound::parse(">=1.0")->text(), ">= 1.0");
  for (const auto* text : {"", "1.0", "== 1", "!= 1", "<< 1", "< a b", "<"})
    EXPECT_EQ(VersionBound::parse(text).error().code, Errc::usage) << text;
}

}  // namespace
}  // namespace vmpatch::recipe
