#include <gtest/gtest.h>

#include "repository/debian/release.hpp"
#include "release_text.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::repository::debian {
namespace {

using test::bare_release;
using test::ftparchive_release;

const std::string digest = "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b";

std::string with(const std::string& text, const std::string& from, const std::string& to) {
  std::string changed = text;
  const auto at = changed.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return changed.replace(at, from.size(), to);
}

std::string refusal(const std::string& text) {
  const auto release = parse_release(text);
  if (release) return "it was accepted";
  EXPECT_EQ(release.error().code, Errc::untrusted);
  return release.error().message;
}

/// A line of the SHA256 list more.
std::string with_file(const std::string& line) { return bare_release + line + "\n"; }

TEST(ReleaseFile, every_field_of_apt_ftparchive_is_read) {
  const auto release = parse_release(ftparchive_release);
  ASSERT_TRUE(release) << release.error().message;
  EXPECT_EQ(release->origin, "Debian");
  EXPECT_EQ(release->label, "Debian");
  EXPECT_EQ(release->suite, "stable");
  EXPECT_EQ(release->codename, "bookworm");
  EXPECT_EQ(release->version, "12.15");
  EXPECT_EQ(format_time(release->date), "2026-12-01T01:46:19Z");
  ASSERT_TRUE(release->valid_until);
  EXPECT_EQ(format_time(*release->valid_until), "2026-12-05T02:05:52Z");
  EXPECT_EQ(release->architectures, (std::vector<std::string>{"amd64", "all"}));
  EXPECT_EQ(release->components, (std::vector<std::string>{"main"}));
  EXPECT_TRUE(release->by_hash);
  EXPECT_FALSE(release->all_is_in_each);
}

TEST(ReleaseFile, digests_are_those_of_the_sha256_list_alone) {
  const auto release = parse_release(ftparchive_release);
  ASSERT_TRUE(release) << release.error().message;
  ASSERT_EQ(release->files.size(), 2U);
  EXPECT_EQ(release->files.at("main/binary-amd64/Packages").sha256.hex(), digest);
  EXPECT_EQ(release->files.at("main/binary-amd64/Packages").size, 1U);
  EXPECT_EQ(release->files.at("main/binary-amd64/Packages.gz").size, 30U);
}

TEST(ReleaseFile, what_is_not_there_is_empty) {
  const auto release = parse_release(bare_release);
  ASSERT_TRUE(release) << release.error().message;
  EXPECT_EQ(release->origin + release->label + release->suite + release->codename + release->version, "");
  EXPECT_FALSE(release->valid_until);
  EXPECT_FALSE(release->by_hash);
}

TEST(ReleaseFile, carriage_returns_empty_lines_around_and_case_of_fields_do_not_count) {
  std::string text = "\n" + ftparchive_release + "\n\n";
  text = with(text, "Origin:", "ORIGIN :");
  EXPECT_EQ(refusal(text), "it was accepted");  // "origin " is a field that nobody asks for
  text = with(text, "ORIGIN :", "oRIGIN:\t");
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 2)) text.replace(at, 1, "\r\n");
  const auto release = parse_release(text);
  ASSERT_TRUE(release) << release.error().message;
  EXPECT_EQ(release->origin, "Debian");
  EXPECT_EQ(release->suite, "stable");
  EXPECT_EQ(release->files.size(), 2U);
}

TEST(ReleaseFile, words_of_features_are_exact) {
  const auto of = [](const std::string& line) { return parse_release(line + "\n" + bare_release).value(); };
  EXPECT_FALSE(of("Acquire-By-Hash: no").by_hash);
  EXPECT_FALSE(of("Acquire-By-Hash:").by_hash);
  EXPECT_TRUE(of("No-Support-for-Architecture-all: Packages").all_is_in_each);
  EXPECT_FALSE(of("No-Support-for-Architecture-all: Contents").all_is_in_each);
}

TEST(ReleaseFile, without_date_or_list_is_refused) {
  EXPECT_EQ(refusal(""), "its Release file has no Date");
  EXPECT_EQ(refusal(with(bare_release, "Date:", "Dates:")), "its Release file has no Date");
  EXPECT_EQ(refusal(with(bare_release, "SHA256:", "SHA512:")), "its Release file has no SHA256 list");
  EXPECT_EQ(refusal("Date: Tue, 01 Dec 2026 01:46:19 UTC\nSHA256:\n"), "its Release file has no SHA256 list");
  // Lines of MD5Sum are none of SHA256, whatever they look like.
  EXPECT_EQ(refusal("Date: Tue, 01 Dec 2026 01:46:19 UTC\nMD5Sum:\n " + digest + " 1 a\n"), "its Release file has no SHA256 list");
}

TEST(ReleaseFile, broken_lines_are_refused_with_their_number) {
  EXPECT_EQ(refusal("Origin: a\nno field\n" + bare_release), "line 2 of its Release file: it is no field");
  EXPECT_EQ(refusal(": a\n" + bare_release), "line 1 of its Release file: it is no field");
  EXPECT_EQ(refusal("Origin: a\nLabel: b\norigin: c\n" + bare_release), "line 3 of its Release file: the field origin comes twice");
  EXPECT_EQ(refusal(ftparchive_release + "SHA256:\n " + digest + " 1 b\n"), "line 24 of its Release file: the field sha256 comes twice");
  EXPECT_EQ(refusal(bare_release + "\nOrigin: b\n"), "line 7 of its Release file: there is a second paragraph");
  EXPECT_EQ(refusal(bare_release + " \t \nOrigin: b\n"), "line 7 of its Release file: there is a second paragraph");
  EXPECT_EQ(refusal(std::string("Origin: a\0b\n", 12) + bare_release), "line 1 of its Release file: it has a NUL byte");
  EXPECT_EQ(refusal(bare_release + "X: " + std::string(16'384, 'x') + "\n"), "line 6 of its Release file: it has more than 16384 bytes");
  EXPECT_EQ(refusal(bare_release + std::string("\x1B[2J\x00", 5)), "line 6 of its Release file: it has a NUL byte");
  EXPECT_EQ(refusal(bare_release + "\x1B[2J: a\n\x1B[2J: b\n"), "line 7 of its Release file: the field \\x1B[2j comes twice");
}

TEST(ReleaseFile, names_are_one_line_of_utf8) {
  for (const char* field : {"Origin", "Label", "Suite", "Codename", "Version"}) {
    const std::string name(field);
    EXPECT_EQ(refusal(name + ": Soci\xE9t\xE9\n" + bare_release).substr(0, 34), "line 1 of its Release file: its " + std::string(1, static_cast<char>(field[0] + 32)) + name.substr(1, 1));
    EXPECT_NE(refusal(name + ": a\x1B[2J\n" + bare_release).find("is no line of UTF-8"), std::string::npos);
    EXPECT_NE(refusal(name + ": a\rb\n" + bare_release).find("is no line of UTF-8"), std::string::npos);
    EXPECT_EQ(refusal(name + ": Soci\u00E9t\u00E9\n" + bare_release), "it was accepted");
  }
  EXPECT_EQ(refusal("Description: Soci\xE9t\xE9\n" + bare_release), "it was accepted");
}

TEST(ReleaseFile, lines_of_the_list_are_digest_size_and_path) {
  for (const std::string& line : {" " + digest, " " + digest + " 1", " " + digest + " 1 a b", " " + digest.substr(1) + " 1 a", " " + digest + "0 1 a",
                                 " " + digest + " -1 a", " " + digest + " 1.5 a", " " + digest + " 0x10 a", " " + digest + " 18446744073709551616 a",
                                 " " + digest + " a 1", " zz" + digest.substr(2) + " 1 a", std::string("\tx")}) {
    EXPECT_EQ(refusal(with_file(line)), "line 6 of its Release file: it is no digest, size and file") << line;
  }
  EXPECT_EQ(parse_release(with_file(" " + digest + " 18446744073709551615 a")).value().files.at("a").size, 18446744073709551615U);
  EXPECT_EQ(parse_release(with_file("\t" + digest + "   0   a")).value().files.at("a").size, 0U);
}

TEST(ReleaseFile, paths_stay_below_the_suite) {
  for (const char* path : {"/etc/passwd", "..", "../a", "a/..", "a/../b", "a/./b", "./a", "a//b", "a/", "//", "a\\b", "a?b", "a#b", "a%2e%2e", "a\x7F", "\xC3\xA9"}) {
    EXPECT_NE(refusal(with_file(" " + digest + " 1 " + path)).find("is no path of a file in a suite"), std::string::npos) << path;
  }
  for (const char* path : {"main/i18n/Translation-zh_TW.bz2", "main/dep11/icons-128x128@2.tar.gz", "main/binary-amd64/Packages.diff/Index", "..a/b..", "c++/~x",
                           "main/installer-amd64/20230607+deb12u13/images/SHA256SUMS"}) {
    EXPECT_TRUE(parse_release(with_file(" " + digest + " 1 " + path))) << path;
  }
  EXPECT_EQ(refusal(with_file(" " + digest + " 1 main/binary-amd64/Packages")), "line 6 of its Release file: main/binary-amd64/Packages is listed twice");
}

TEST(ReleaseFile, more_than_200000_files_are_refused) {
  std::string text = bare_release;
  for (int i = 1; i < 200'000; ++i) text += fmt::format(" {} 1 {}\n", digest, i);
  EXPECT_EQ(parse_release(text).value().files.size(), 200'000U);
  EXPECT_NE(refusal(text + " " + digest + " 1 x\n").find("more than 200000 files"), std::string::npos);
}

TEST(ReleaseFile, text_that_is_cut_off_is_refused_or_has_fewer_files) {
  const auto whole = parse_release(ftparchive_release).value();
  for (std::size_t length = 0; length < ftparchive_release.size(); ++length) {
    const auto release = parse_release(ftparchive_release.substr(0, length));
    if (!release) continue;
    EXPECT_GE(length, ftparchive_release.find(digest) + digest.size());
    EXPECT_LE(release->files.size(), whole.files.size());
  }
}

TEST(ReleaseDate, forms_of_the_format_are_read) {
  const auto time = [](const char* text) {
    const auto parsed = parse_release_date(text);
    return parsed ? format_time(*parsed) : parsed.error().message;
  };
  EXPECT_EQ(time("Sat, 11 Nov 2023 10:00:00 UTC"), "2023-11-11T10:00:00Z");
  EXPECT_EQ(time("Sat, 11 Nov 2023 10:00:00 GMT"), "2023-11-11T10:00:00Z");
  EXPECT_EQ(time("Sat, 11 Nov 2023 10:00:00 Z"), "2023-11-11T10:00:00Z");
  EXPECT_EQ(time("Sat, 11 Nov 2023 10:00:00 +0000"), "2023-11-11T10:00:00Z");
  EXPECT_EQ(time("11 Nov 2023 10:00:00 UTC"), "2023-11-11T10:00:00Z");
  EXPECT_EQ(time("Sat,  1 Nov  2023  9:00:00  UTC"), "2023-11-01T09:00:00Z");
  EXPECT_EQ(time("Thu, 29 Feb 2024 23:59:59 UTC"), "2024-02-29T23:59:59Z");
  EXPECT_EQ(time("Tue, 29 Feb 2000 00:00:00 UTC"), "2000-02-29T00:00:00Z");
  EXPECT_EQ(time("Sun, 31 Dec 2023 23:59:59 UTC"), "2023-12-31T23:59:59Z");
  EXPECT_EQ(time("Sat, 31 Dec 2016 23:59:60 UTC"), "2017-01-01T00:00:00Z");
  EXPECT_EQ(time("Mon, 01 Jan 1990 00:00:00 UTC"), "1990-01-01T00:00:00Z");
}

TEST(ReleaseDate, every_month_ends_where_it_ends) {
  const std::vector<std::pair<const char*, int>> months{{"Jan", 31}, {"Feb", 28}, {"Mar", 31}, {"Apr", 30}, {"May", 31}, {"Jun", 30},
                                                        {"Jul", 31}, {"Aug", 31}, {"Sep", 30}, {"Oct", 31}, {"Nov", 30}, {"Dec", 31}};
  for (const auto& [month, last] : months) {
    EXPECT_TRUE(parse_release_date(fmt::format("{} {} 2023 00:00:00 UTC", last, month))) << month;
    EXPECT_FALSE(parse_release_date(fmt::format("{} {} 2023 00:00:00 UTC", last + 1, month))) << month;
    EXPECT_FALSE(parse_release_date(fmt::format("0 {} 2023 00:00:00 UTC", month))) << month;
  }
}

TEST(ReleaseDate, other_zones_and_what_is_no_date_are_untrusted) {
  for (const char* text :
       {"", "Sat, 11 Nov 2023 10:00:00", "Sat, 11 Nov 2023 10:00:00 CET", "Sat, 11 Nov 2023 10:00:00 +0100", "Sat, 11 Nov 2023 10:00:00 -0000",
        "Sat, 11 Nov 2023 10:00:00 utc", "Sat, 11 Nov 2023 10:00:00 UTC UTC", "Sat 11 Nov 2023 10:00:00 UTC", "2023-11-11T10:00:00Z", "Sat, 11 nov 2023 10:00:00 UTC",
        "Sat, 11 11 2023 10:00:00 UTC", "Sat, 11 Nov 23 10:00:00 UTC", "Sat, 11 Nov 1989 10:00:00 UTC", "Sat, 11 Nov 2201 10:00:00 UTC",
        "Sat, 11 Nov 2023 24:00:00 UTC", "Sat, 11 Nov 2023 10:60:00 UTC", "Sat, 11 Nov 2023 10:00:61 UTC", "Sat, 11 Nov 2023 10:00 UTC",
        "Sat, 11 Nov 2023 10:00:00:00 UTC", "Sat, -1 Nov 2023 10:00:00 UTC", "Sat, +1 Nov 2023 10:00:00 UTC", "Sat, 11 Nov -2023 10:00:00 UTC",
        "Sat, 11 Nov 2023 10:-1:00 UTC", "Sat, 29 Feb 2023 10:00:00 UTC", "Sat, 29 Feb 2100 10:00:00 UTC", "Sat, 4294967307 Nov 2023 10:00:00 UTC",
        "Sat, 11 Nov 99999999999 10:00:00 UTC", "Sat, 1 1 Nov 2023 10:00:00 UTC"}) {
    const auto time = parse_release_date(text);
    ASSERT_FALSE(time) << text;
    EXPECT_EQ(time.error().code, Errc::untrusted);
    EXPECT_EQ(time.error().message, fmt::format("'{}' is no date like Sat, 11 Nov 2023 10:00:00 UTC", text));
  }
  EXPECT_EQ(refusal(with(bare_release, "+0000", "CET")),
            "line 1 of its Release file: 'Tue, 01 Dec 2026 01:46:19 CET' is no date like Sat, 11 Nov 2023 10:00:00 UTC");
  EXPECT_EQ(refusal("Valid-Until:\n" + bare_release), "line 1 of its Release file: '' is no date like Sat, 11 Nov 2023 10:00:00 UTC");
}

}  // namespace
}  // namespace vmpatch::repository::debian
