#include "vmpatch/recipe/deb.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "recipe/debian_control.hpp"
#include "unit/recipe/deb_fixture.hpp"

namespace vmpatch::recipe {
namespace {

using test::build_deb;
using test::DebSpec;
using testing::ElementsAre;
using testing::HasSubstr;

class DebTest : public testing::Test {
 protected:
  static Result<DebPackage> read(const std::filesystem::path& path, bool with_files = true) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return read_deb(fd.get(), path.filename().string(), with_files);
  }
  static const DebFile* find(const DebPackage& package, std::string_view path) {
    for (const auto& file : package.files)
      if (file.path == path) return &file;
    return nullptr;
  }
  test::ScratchDir dir_;
};

TEST_F(DebTest, control_conffiles_and_files_are_read_in_every_compression) {
  for (const auto* compression : {"xz", "gzip", "zstd", "none"}) {
    DebSpec spec;
    spec.version = "1:2.0~rc1-3+deb12u1";
    spec.files = {{"usr/bin/tool", "the tool"}, {"etc/tool.conf", "conf"}, {"usr/share/\xc3\xa4", "umlaut"}};
    spec.conffiles = "/etc/tool.conf\n";
    spec.compression = compression;
    const auto package = read(build_deb(dir_, spec));
    ASSERT_TRUE(package) << compression << ": " << package.error().message;
    EXPECT_EQ(package->name(), "sample");
    EXPECT_EQ(package->version(), "1:2.0~rc1-3+deb12u1");
    EXPECT_EQ(package->architecture(), "amd64");
    EXPECT_EQ(package->control.at("Description"), "test package\nwith a second line");
    EXPECT_THAT(package->conffiles, ElementsAre("/etc/tool.conf"));
    const auto* tool = find(*package, "/usr/bin/tool");
    ASSERT_NE(tool, nullptr);
    EXPECT_EQ(tool->kind, DebFile::Kind::regular);
    EXPECT_EQ(tool->sha256, sha256("the tool"));
    EXPECT_EQ(tool->mode, 0644U);
    EXPECT_NE(find(*package, "/usr/share/\xc3\xa4"), nullptr);
    const auto* soft = find(*package, "/usr/lib/links/soft");
    ASSERT_NE(soft, nullptr);
    EXPECT_EQ(soft->kind, DebFile::Kind::symlink);
    EXPECT_EQ(soft->target, "../target");
    const auto* one = find(*package, "/usr/lib/links/one");
    const auto* two = find(*package, "/usr/lib/links/two");
    ASSERT_TRUE(one != nullptr && two != nullptr);
    const auto* link = one->kind == DebFile::Kind::hardlink ? one : two;
    const auto* real = link == one ? two : one;
    EXPECT_EQ(link->kind, DebFile::Kind::hardlink);
    EXPECT_EQ(link->target, real->path);
    EXPECT_EQ(real->sha256, sha256("linked"));
  }
}

TEST_F(DebTest, files_are_left_out_unless_asked_for) {
  const auto package = read(build_deb(dir_, {}), false);
  ASSERT_TRUE(package);
  EXPECT_TRUE(package->files.empty());
}

TEST_F(DebTest, digests_are_those_that_dpkg_unpacks) {
  DebSpec spec;
  spec.files = {{"usr/bin/a", std::string(1'000'000, 'a')}, {"usr/bin/empty", ""}};
  const auto deb = build_deb(dir_, spec);
  ASSERT_TRUE(test::run_tool({"dpkg-deb", "-x", deb.string(), (dir_ / "out").string()}));
  const auto package = read(deb);
  ASSERT_TRUE(package);
  std::size_t regular = 0;
  for (const auto& file : package->files) {
    if (file.kind != DebFile::Kind::regular) continue;
    EXPECT_EQ(sha256(*read_file(dir_ / "out" / file.path.substr(1))), file.sha256) << file.path;
    ++regular;
  }
  EXPECT_EQ(regular, 3U);
}

TEST_F(DebTest, damaged_packages_fail) {
  const auto deb = build_deb(dir_, {});
  const auto whole = *read_file(deb);
  const auto bad = dir_ / "bad.deb";
  for (const auto& text : {std::string(), std::string("hello"), whole.substr(0, 100), whole.substr(0, whole.size() / 2),
                           whole.substr(0, whole.size() - 40)}) {
    ASSERT_TRUE(write_file_atomic(bad, text));
    const auto package = read(bad);
    ASSERT_FALSE(package) << text.size();
    EXPECT_EQ(package.error().code, Errc::failed);
    EXPECT_THAT(package.error().message, HasSubstr("bad.deb"));
  }
}

TEST_F(DebTest, path_that_leads_out_of_the_guest_fails) {
  const auto tree = dir_ / "tree";
  std::filesystem::create_directories(tree);
  ASSERT_TRUE(write_file_atomic(tree / "debian-binary", "2.0\n"));
  ASSERT_TRUE(write_file_atomic(tree / "control", "Package: x\nVersion: 1\nArchitecture: all\n"));
  ASSERT_TRUE(write_file_atomic(tree / "evil", "evil"));
  const auto t = tree.string();
  ASSERT_TRUE(test::run_tool({"tar", "-C", t, "-cf", t + "/control.tar", "./control"}));
  ASSERT_TRUE(
      test::run_tool({"tar", "-C", t, "--transform", "s,evil,../../evil,", "-P", "-cf", t + "/data.tar", "evil"}));
  ASSERT_TRUE(test::run_tool({"ar", "rc", t + "/x.deb", t + "/debian-binary", t + "/control.tar", t + "/data.tar"}));
  const auto package = read(tree / "x.deb");
  ASSERT_FALSE(package);
  EXPECT_THAT(package.error().message, HasSubstr("not normal"));
}

TEST_F(DebTest, recipe_from_packages_holds_what_the_packages_say) {
  DebSpec library;
  library.name = "libx1";
  library.version = "2.0-1";
  library.more_control = "Source: x\n";
  library.changelog =
      "x (2.0-1) bookworm-security; urgency=high\n\n  * CVE-2026-1111: overflow\n  * Fix CVE-2025-22222, "
      "CVE-2026-1111.\n\n"
      " -- A <a@localhost>  Sun, 01 Nov 2026 10:00:00 +0000\n\n"
      "x (1.0-1) unstable; urgency=low\n\n  * CVE-2020-9999\n\n -- A <a@localhost>  Sun, 01 Nov 2020 10:00:00 +0000\n";
  DebSpec tool;
  tool.name = "a-tool";
  tool.version = "1:3.0-2";
  tool.architecture = "all";
  tool.more_control = "Pre-Depends: libx1 (>= 2.0) | other, libc6:any\n";
  FromPackagesOptions options;
  options.id = "debian-12-x";
  options.now = test::at("2026-11-20T10:20:30Z");
  const auto tool_deb = build_deb(dir_, tool);
  const auto library_deb = build_deb(dir_, library);
  // apt writes the epoch's colon as %3a in file names.
  const auto named_by_apt = dir_ / "a-tool_1%3a3.0-2_all.deb";
  std::filesystem::rename(tool_deb, named_by_apt);
  const auto recipe = recipe_from_packages({named_by_apt, library_deb}, options);
  ASSERT_TRUE(recipe) << recipe.error().message;
  EXPECT_EQ(recipe->id, "debian-12-x");
  EXPECT_EQ(recipe->version, 1U);
  EXPECT_EQ(recipe->title, "Update of a-tool and libx1");
  EXPECT_EQ(format_time(recipe->issued), "2026-11-20T10:20:30Z");
  EXPECT_EQ(format_time(*recipe->expires), "2027-02-18T10:20:30Z");
  EXPECT_EQ(recipe->severity, Severity::high);
  EXPECT_THAT(recipe->fixes, ElementsAre("CVE-2025-22222", "CVE-2026-1111"));
  EXPECT_EQ(recipe->applies_to.os_id, "debian");
  EXPECT_THAT(recipe->applies_to.version_id, ElementsAre("12"));
  EXPECT_THAT(recipe->applies_to.arch, ElementsAre("x86_64"));
  EXPECT_EQ(recipe->applies_to.packages.at("a-tool").text(), "< 1:3.0-2");
  EXPECT_EQ(recipe->applies_to.packages.at("libx1").text(), "< 2.0-1");
  ASSERT_EQ(recipe->steps.size(), 1U);
  EXPECT_THAT(std::get<step::Packages>(recipe->steps[0]).install,
              ElementsAre("libx1_2.0-1_amd64.deb", "a-tool_1%3a3.0-2_all.deb"));
  EXPECT_EQ(recipe->find_payload("libx1_2.0-1_amd64.deb")->sha256, sha256(*read_file(library_deb)));
  ASSERT_EQ(recipe->verify.size(), 2U);
  EXPECT_EQ(describe(recipe->verify[0]), "package a-tool >= 1:3.0-2");
  const auto again = parse_unverified_recipe(write_recipe(*recipe), "R");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(write_recipe(*again), write_recipe(*recipe));
}

TEST_F(DebTest, packages_without_cve_give_severity_none_and_packages_for_all_give_no_architecture) {
  DebSpec spec;
  spec.architecture = "all";
  FromPackagesOptions options;
  options.id = "x-y";
  const auto recipe = recipe_from_packages({build_deb(dir_, spec)}, options);
  ASSERT_TRUE(recipe) << recipe.error().message;
  EXPECT_EQ(recipe->severity, Severity::none);
  EXPECT_TRUE(recipe->fixes.empty());
  EXPECT_TRUE(recipe->applies_to.arch.empty());
}

TEST_F(DebTest, packages_that_do_not_fit_together_are_usage_errors) {
  DebSpec amd64;
  DebSpec arm64;
  arm64.architecture = "arm64";
  const auto first = build_deb(dir_, amd64);
  const auto second = build_deb(dir_, arm64);
  arm64.name = "other";
  const auto third = build_deb(dir_, arm64);
  FromPackagesOptions options;
  options.id = "x-y";
  EXPECT_THAT(recipe_from_packages({first, second}, options).error().message, HasSubstr("given twice"));
  EXPECT_THAT(recipe_from_packages({first, third}, options).error().message, HasSubstr("several architectures"));
  EXPECT_EQ(recipe_from_packages({}, options).error().code, Errc::usage);
  EXPECT_EQ(recipe_from_packages({dir_ / "absent.deb"}, options).error().code, Errc::not_found);
  options.id = "Bad Id";
  EXPECT_EQ(recipe_from_packages({first}, options).error().code, Errc::usage);
}

TEST(DebianControl, relation_names_drop_versions_and_qualifiers) {
  EXPECT_THAT(relation_names("libc6 (>= 2.36), a:any | b [amd64],c(= 1), "), ElementsAre("libc6", "a", "b", "c"));
}

TEST(DebianControl, malformed_paragraphs_fail) {
  for (const auto* text : {" x\n", "no field\n", "A: 1\nA: 2\n", "A: 1\n\nB: 2\n", ": x\n"})
    EXPECT_FALSE(parse_control(text, "x")) << text;
}

TEST(DebianControl, only_whole_cve_ids_of_the_newest_entry_count) {
  EXPECT_THAT(newest_cves("CVE-2026-123 CVE-20261-1234 CVE-2026-12345. (CVE-2024-0001)\n -- x\nCVE-2020-0001"),
              ElementsAre("CVE-2024-0001", "CVE-2026-12345"));
}

}  // namespace
}  // namespace vmpatch::recipe
