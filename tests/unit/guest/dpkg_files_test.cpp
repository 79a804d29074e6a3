#include <gmock/gmock.h>

#include "unit/guest/memory_guest.hpp"
#include "vmpatch/guest/dpkg_files.hpp"

namespace vmpatch::guest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string digest_a(32, 'a');
const std::string digest_b(32, 'b');

void expect_malformed(const auto& result, const std::string& part) {
  ASSERT_FALSE(result) << "expected: " << part;
  EXPECT_EQ(result.error().code, Errc::failed);
  EXPECT_THAT(result.error().message, HasSubstr(part));
}

TEST(Md5Sums, paths_are_absolute_with_their_digests) {
  const auto sums = parse_md5sums(digest_a + "  usr/bin/x\n" + digest_b + "  ./usr/share/two words\n");
  ASSERT_TRUE(sums) << sums.error().message;
  ASSERT_EQ(sums->size(), 2U);
  EXPECT_EQ(sums->at("/usr/bin/x"), Md5Digest::parse(digest_a).value());
  EXPECT_EQ(sums->at("/usr/share/two words"), Md5Digest::parse(digest_b).value());
  EXPECT_TRUE(parse_md5sums("")->empty());
}

TEST(Md5Sums, malformed_line_is_told_with_its_number) {
  const auto good = digest_a + "  usr/bin/x\n";
  expect_malformed(parse_md5sums(good + digest_a + " usr/bin/y\n"), "line 2: expected");
  expect_malformed(parse_md5sums(good + digest_a + "  \n"), "line 2: expected");
  expect_malformed(parse_md5sums(good + "\n"), "line 2: expected");
  expect_malformed(parse_md5sums(std::string(31, 'a') + "g  usr/bin/y"), "line 1: not hex");
  expect_malformed(parse_md5sums(good + digest_a + "  usr/../etc/shadow\n"), "line 2: /usr/../etc/shadow is no normal path");
  expect_malformed(parse_md5sums(good + digest_a + "  usr//x\n"), "is no normal path");
  expect_malformed(parse_md5sums(good + digest_b + "  /usr/bin/x\n"), "line 2: /usr/bin/x comes twice");
  expect_malformed(parse_md5sums(good + digest_a + "  usr/\x1b[31m\n" + digest_a + "  usr/\x1b[31m"), "line 3: /usr/\\x1B[31m comes twice");
  expect_malformed(parse_md5sums(digest_a + "  " + std::string(5000, 'x')), "is no normal path");
  expect_malformed(parse_md5sums(digest_a + "  a" + std::string(1, '\0')), "is no normal path");
}

TEST(FileList, holds_every_path_but_the_root) {
  const auto files = parse_file_list("/.\n/usr\n/usr/bin/\n/usr/bin/x\n");
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_THAT(*files, ElementsAre("/usr", "/usr/bin", "/usr/bin/x"));
  expect_malformed(parse_file_list("/usr\nusr/bin\n"), "line 2: usr/bin is no normal path");
  expect_malformed(parse_file_list("/usr\n\n/x\n"), "line 2:");
  expect_malformed(parse_file_list("/usr\n//x\n"), "line 2:");
}

TEST(FileList, more_lines_than_any_package_has_are_refused) {
  std::string text;
  for (std::size_t i = 0; i <= max_listed_files; ++i) text += "/a\n";
  expect_malformed(parse_file_list(text), "more than 500000 lines");
}

TEST(Diversions, are_triples_of_original_place_and_package) {
  const auto diversions = parse_diversions("/bin/sh\n/bin/sh.distrib\ndash\n/etc/issue\n/etc/issue.old\n:\n");
  ASSERT_TRUE(diversions) << diversions.error().message;
  ASSERT_EQ(diversions->size(), 2U);
  EXPECT_EQ(diversions->at("/bin/sh").to, "/bin/sh.distrib");
  EXPECT_EQ(diversions->at("/bin/sh").package, "dash");
  EXPECT_FALSE(diversions->at("/bin/sh").local());
  EXPECT_TRUE(diversions->at("/etc/issue").local());
}

TEST(Diversions, malformed_ones_are_told_with_their_line) {
  expect_malformed(parse_diversions("/bin/sh\n/bin/sh.distrib\n"), "no multiple of three");
  expect_malformed(parse_diversions("/bin/sh\n/bin/sh.distrib\n\n"), "line 3");
  expect_malformed(parse_diversions("bin/sh\n/bin/sh.distrib\ndash\n"), "line 1: bin/sh is no normal path");
  expect_malformed(parse_diversions("/a\n/b\n:\n/a\n/c\n:\n"), "line 6: /a or /c is diverted already");
  expect_malformed(parse_diversions("/a\n/b\n:\n/b\n/c\n:\n"), "diverted already");
  expect_malformed(parse_diversions("/a\n/a\n:\n"), "diverted already");
}

Package package(const std::string& name, const std::string& arch = "amd64") {
  Package made;
  made.name = name;
  made.arch = arch;
  return made;
}

TEST(PackageLists, of_a_package_with_several_architectures_is_the_one_of_its_own) {
  MemoryGuest guest;
  const std::string info = "/var/lib/dpkg/info/";
  guest.files = {{info + "libx:amd64.list", "/.\n/usr/lib/x\n"},
                 {info + "libx:amd64.md5sums", digest_a + "  usr/lib/x\n"},
                 {info + "libx:amd64.conffiles", "/etc/x\nremove-on-upgrade /etc/y\n"},
                 {info + "plain.list", "/.\n/usr/bin/plain\n"},
                 {info + "plain.md5sums", ""}};
  const auto lists = load_package_lists(guest, package("libx"));
  ASSERT_TRUE(lists) << lists.error().message;
  EXPECT_THAT(lists->files, ElementsAre("/usr/lib/x"));
  EXPECT_EQ(lists->sums.size(), 1U);
  EXPECT_THAT(lists->conffiles, ElementsAre("/etc/x"));
  EXPECT_TRUE(load_package_lists(guest, package("plain")));
  EXPECT_EQ(load_package_lists(guest, package("libx", "i386")).error().code, Errc::not_found);
  guest.files[info + "libx.list"] = "/.\n";
  expect_malformed(load_package_lists(guest, package("libx")), "there are two for one package");
}

TEST(PackageLists, missing_or_malformed_list_is_named) {
  MemoryGuest guest;
  const std::string info = "/var/lib/dpkg/info/";
  guest.files = {{info + "x.list", "/.\n/usr/bin/x\n"}};
  const auto missing = load_package_lists(guest, package("x"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  EXPECT_EQ(missing.error().message, info + "x.md5sums is missing");
  guest.files[info + "x.md5sums"] = "nonsense\n";
  expect_malformed(load_package_lists(guest, package("x")), info + "x.md5sums: line 1: expected");
}

class PathFilterTest : public testing::Test {
 protected:
  bool excludes(const std::string& path, FileKind kind = FileKind::regular) { return filter_.excludes(path, kind); }
  void lines(const std::vector<std::string>& all) {
    filter_ = {};
    for (const auto& line : all) filter_.add_line(line);
  }
  PathFilter filter_;
};

TEST_F(PathFilterTest, last_rule_that_matches_counts_and_a_star_matches_slashes) {
  lines({"path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright", "path-exclude=/usr/share/doc/bad/*"});
  EXPECT_TRUE(excludes("/usr/share/doc/x/a/b/README"));
  EXPECT_FALSE(excludes("/usr/share/doc/x/copyright"));
  EXPECT_TRUE(excludes("/usr/share/doc/bad/copyright"));
  EXPECT_FALSE(excludes("/usr/bin/x"));
}

TEST_F(PathFilterTest, words_are_separated_as_dpkg_separates_them) {
  for (const auto* line : {"path-exclude=/a/*", "path-exclude /a/*", "path-exclude = /a/*", "path-exclude=\"/a/*\"", "path-exclude '/a/*'  ",
                           "path-exclude\t/a/*"}) {
    lines({line});
    EXPECT_TRUE(excludes("/a/b")) << line;
  }
  for (const auto* line : {"--path-exclude=/a/*", " path-exclude=/a/*", "#path-exclude=/a/*", "path-excludes=/a/*", "path-exclude", "path-exclude=",
                           "path-exclude=\"/a/*", "PATH-EXCLUDE=/a/*"}) {
    lines({line});
    EXPECT_FALSE(excludes("/a/b")) << line;
  }
}

TEST_F(PathFilterTest, links_and_folders_on_the_way_to_what_is_included_stay) {
  lines({"path-exclude=/usr/share/*", "path-include=/usr/share/doc/keep/*.txt"});
  EXPECT_FALSE(excludes("/usr/share/doc/keep", FileKind::symlink));
  EXPECT_FALSE(excludes("/usr/share/doc/keep/link", FileKind::symlink)) << "dpkg keeps more than it must";
  EXPECT_TRUE(excludes("/usr/share/doc/other", FileKind::symlink));
  EXPECT_TRUE(excludes("/usr/share/doc/keep/x", FileKind::regular));
}

TEST_F(PathFilterTest, files_of_the_folder_come_first_and_only_those_that_dpkg_reads) {
  MemoryGuest guest;
  guest.files = {{"/etc/dpkg/dpkg.cfg.d/10-docs", "path-exclude=/doc/*\n"}, {"/etc/dpkg/dpkg.cfg.d/10-docs.dpkg-old", "path-exclude=/usr/*\n"},
                 {"/etc/dpkg/dpkg.cfg.d/.hidden", "path-exclude=/usr/*\n"}, {"/etc/dpkg/dpkg.cfg.d/backup~", "path-exclude=/usr/*\n"},
                 {"/etc/dpkg/dpkg.cfg", "path-include=/doc/keep/*\n"},      {"/root/.dpkg.cfg", "path-exclude=/doc/keep/not\n"}};
  auto filter = PathFilter::load(guest);
  ASSERT_TRUE(filter) << filter.error().message;
  EXPECT_TRUE(filter->excludes("/doc/x", FileKind::regular));
  EXPECT_FALSE(filter->excludes("/doc/keep/x", FileKind::regular));
  EXPECT_TRUE(filter->excludes("/doc/keep/not", FileKind::regular));
  EXPECT_FALSE(filter->excludes("/usr/bin/x", FileKind::regular));
}

TEST_F(PathFilterTest, patterns_that_cost_much_exclude_nothing_in_the_end) {
  lines({"path-exclude=*" + std::string(900, '[')});
  std::size_t asked = 0;
  for (; asked < 10'000 && (asked < 2 || excludes("/" + std::string(4000, '[')) ); ++asked) {
  }
  EXPECT_LT(asked, 10'000U);
  lines({"path-exclude=/doc/*"});
  for (int i = 0; i < 100'000; ++i) ASSERT_TRUE(excludes("/doc/some/file/of/usual/length/" + std::to_string(i)));
}

TEST(StatOverrides, are_lines_of_four_fields) {
  const auto parsed = parse_statoverrides("root tools 4750 /usr/bin/tool\n#0 #7 644 /usr/share/a b\n");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->at("/usr/bin/tool").mode, 04750U);
  EXPECT_EQ(parsed->at("/usr/bin/tool").group, "tools");
  EXPECT_EQ(parsed->at("/usr/share/a b").group, "#7");
  EXPECT_TRUE(parse_statoverrides("")->empty());
  for (const char* text : {"root root 4755\n", "root root 4788 /x\n", "root root 10000 /x\n", "root root 77777777777777 /x\n", "root root - /x\n", "root root 4755 x\n", "root  4755 /x\n", "\n",
                           "root root 755 /x\nroot root 755 /x\n"}) {
    EXPECT_FALSE(parse_statoverrides(text)) << text;
  }
}

}  // namespace
}  // namespace vmpatch::guest
