// Texts of apt 2.6.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/repository/apt_entry.hpp"
#include "cli/repository/apt_targets.hpp"

namespace vmpatch::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view without_release = R"(MetaKey: main/binary-amd64/Packages
ShortDesc: Packages
Description: http://m.example/debian bookworm/main amd64 Packages
URI: http://m.example/debian/dists/bookworm/main/binary-amd64/Packages
Architecture: amd64
Base-URI: http://m.example/debian/dists/bookworm/
Component: main
Created-By: Packages
Fallback-Of: 
Release: bookworm
Repo-URI: http://m.example/debian/
Site: http://m.example/debian
Sourcesentry: /etc/apt/sources.list.d/a:b.sources:3
Target-Of: deb

MetaKey: main/i18n/Translation-en
Created-By: Translations
Repo-URI: http://m.example/debian/

MetaKey: Packages
Base-URI: http://m.example/flat/./
Created-By: Packages
Release: ./
Repo-URI: http://m.example/flat/
Sourcesentry: /etc/apt/sources.list:12
)";

TEST(AptTargets, only_packages_files_are_read) {
  const auto targets = parse_index_targets(without_release);
  ASSERT_EQ(targets.size(), 2U);
  EXPECT_EQ(targets[0].repo_uri, "http://m.example/debian/");
  EXPECT_EQ(targets[0].release, "bookworm");
  EXPECT_EQ(targets[0].component, "main");
  EXPECT_EQ(targets[0].architecture, "amd64");
  EXPECT_EQ(targets[0].entry_file, "/etc/apt/sources.list.d/a:b.sources");
  EXPECT_EQ(targets[0].entry, 3U);
  EXPECT_EQ(targets[0].origin, "");
  EXPECT_EQ(targets[1].component, "");
  EXPECT_EQ(targets[1].entry_file, "/etc/apt/sources.list");
  EXPECT_EQ(targets[1].entry, 12U);
  EXPECT_THAT(parse_index_targets(""), IsEmpty());
}

TEST(AptTargets, words_of_release_files_join_the_target_of_the_same_name) {
  auto targets = parse_index_targets(without_release);
  auto informed = parse_index_targets(
      "MetaKey: main/binary-amd64/Packages\nBase-URI: http://m.example/debian/dists/bookworm/\nCreated-By: Packages\n"
      "Repo-URI: http://m.example/debian/\nCodename: bookworm\nLabel: Debian\nOrigin: Debian\n");
  add_release_words(targets, informed);
  EXPECT_EQ(targets[0].codename, "bookworm");
  EXPECT_EQ(targets[0].label, "Debian");
  EXPECT_EQ(targets[0].origin, "Debian");
  EXPECT_EQ(targets[1].origin, "");
}

TEST(AptTargets, passwords_and_queries_are_hidden) {
  EXPECT_EQ(hide_secrets("http://u:secret@h.example/debian/ bookworm"), "http://[hidden]@h.example/debian/ bookworm");
  EXPECT_EQ(hide_secrets("E: source 'https://u:sec@ret@h/d?token=secret' x\n"), "E: source 'https://[hidden]@h/d x\n");
  EXPECT_EQ(hide_secrets("tor+http://secret@h/ mirror+file:/secret@x"), "tor+http://[hidden]@h/ mirror+file://[hidden]@x");
  EXPECT_EQ(hide_secrets("http://h.example/debian/ bookworm  main"), "http://h.example/debian/ bookworm  main");
  EXPECT_EQ(hide_secrets("mail a@b"), "mail a@b");
}

TEST(AptEntry, options_of_a_line_are_read) {
  const std::string list =
      "# deb [trusted=yes] http://h.example/debian bookworm main\n"
      "deb [ arch=amd64 signed-by=/a.gpg,/b.asc ] http://h.example/debian bookworm main\n"
      "deb [signed-by=ABCD trusted=Yes] http://h.example/x ./\n"
      "deb http://[::1]/debian bookworm main";
  const auto second = parse_apt_entry(list, "/etc/apt/sources.list", 2);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_THAT(second->signed_by, ElementsAre("/a.gpg", "/b.asc"));
  EXPECT_EQ(second->trusted, "");
  EXPECT_FALSE(second->embedded_key);
  const auto third = parse_apt_entry(list, "/etc/apt/sources.list", 3);
  EXPECT_THAT(third->signed_by, ElementsAre("ABCD"));
  EXPECT_EQ(third->trusted, "yes");
  EXPECT_THAT(parse_apt_entry(list, "/etc/apt/sources.list", 4)->signed_by, IsEmpty());
  EXPECT_FALSE(parse_apt_entry(list, "/etc/apt/sources.list", 5));
  EXPECT_FALSE(parse_apt_entry(list, "/etc/apt/sources.list", 0));
}

TEST(AptEntry, paragraphs_are_counted_as_apt_counts_them) {
  const std::string sources =
      "# comment\nTypes: deb\nURIs: http://z.example/debian\nSigned-By: /a.gpg\n# in between\n /b.gpg\n\n"
      "# only a comment\n\n\n"
      "Types: deb\nEnabled: no\n  \n"
      "TYPES: deb\nTRUSTED: yes\nsigned-by:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n xx\n -----END PGP PUBLIC KEY BLOCK-----\n";
  const auto first = parse_apt_entry(sources, "d.sources", 1);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_THAT(first->signed_by, ElementsAre("/a.gpg", "/b.gpg"));
  const auto third = parse_apt_entry(sources, "d.sources", 3);
  ASSERT_TRUE(third) << third.error().message;
  EXPECT_TRUE(third->embedded_key);
  EXPECT_THAT(third->signed_by, IsEmpty());
  EXPECT_EQ(third->trusted, "yes");
  const auto fourth = parse_apt_entry(sources, "d.sources", 4);
  ASSERT_FALSE(fourth);
  EXPECT_EQ(fourth.error().code, Errc::failed);
}

}  // namespace
}  // namespace vmpatch::cli
