// Feeds as files: kinds, packing, counts, and what is broken.
#include <gmock/gmock.h>

#include "unit/advisory/feeds.hpp"
#include "vmpatch/core/process.hpp"

namespace vmpatch::advisory::test {
namespace {

using testing::HasSubstr;

const guest::Facts machine_with_openssl = debian12({package("libssl3", "3.0.9-1", "openssl")});

class Load : public testing::Test {
 protected:
  Load() : database_([] {
             Interest interest;
             interest.add(machine_with_openssl);
             return Database(std::move(interest));
           }()) {}

  fs::path write(const std::string& name, const std::string& text) {
    const fs::path path = scratch_ / name;
    EXPECT_TRUE(make_dirs(path.parent_path()).has_value());
    EXPECT_TRUE(write_file_atomic(path, text).has_value());
    return path;
  }
  Result<FeedState> load(const fs::path& path, FeedKind kind = FeedKind::automatic) { return database_.load({kind, path.string(), path, {}}); }
  Result<FeedState> load_text(const std::string& text, FeedKind kind = FeedKind::automatic) { return load(write("feed", text), kind); }

  vmpatch::test::Scratch scratch_;
  Database database_;
};

const std::string record = osv("CVE-2023-5363", "Debian:12", "openssl", fixed_in("3.0.10-1"));
const std::string other_record = osv("CVE-2023-0001", "Debian:12", "nginx", fixed_in("1.2-1"));

TEST_F(Load, RecognisesEveryKind) {
  EXPECT_EQ(load_text(record)->kind, FeedKind::osv);
  EXPECT_EQ(load_text("[" + record + "]")->kind, FeedKind::osv);
  EXPECT_EQ(load_text(tracker("openssl", "CVE-2023-5363", "bookworm", R"({"status":"open"})"))->kind, FeedKind::debian_tracker);
  EXPECT_EQ(load_text(R"({"document":{"csaf_version":"2.0","tracking":{"id":"X"}}})")->kind, FeedKind::csaf);
  EXPECT_EQ(load_text(R"({"catalogVersion":"1","vulnerabilities":[]})")->kind, FeedKind::kev);
  EXPECT_EQ(load_text("cve,epss,percentile\n")->kind, FeedKind::epss);
  // Something long comes before what tells.
  EXPECT_EQ(load_text(R"({"details":")" + std::string(100'000, 'x') + R"(","id":"CVE-2023-5363","affected":[]})")->kind, FeedKind::osv);
}

TEST_F(Load, CountsAndDigest) {
  const std::string text = "[" + record + "," + other_record + R"(,{"id":5,"affected":[{"package":{"name":"openssl","ecosystem":"Debian:12"}}]},)" +
                           osv("CVE-2023-0002", "Debian:12", "openssl", fixed_in("1"), R"("withdrawn":"2026-01-01T00:00:00Z")") + "]";
  const auto state = load_text(text);
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(state->records, 4U);
  EXPECT_EQ(state->relevant, 2U);
  EXPECT_EQ(state->withdrawn, 1U);
  EXPECT_EQ(state->skipped, 1U);
  ASSERT_EQ(state->problems.size(), 1U);
  EXPECT_EQ(state->problems[0], "record 3: no usable \"id\"");
  EXPECT_EQ(state->digest, sha256(text));
}

TEST_F(Load, ArchivesArePackedAndUnpacked) {
  write("in/A.json", record);
  write("in/sub/B.json", other_record);
  write("in/broken.json", R"({"id":"CVE-2023-9999","affected":[{"package":{"name":"openssl",)");
  write("in/README.txt", "no feed");
  const std::string script = "import zipfile,sys,os\nz=zipfile.ZipFile(sys.argv[1],'w',zipfile.ZIP_DEFLATED)\n"
                             "for d,_,fs in sorted(os.walk(sys.argv[2])):\n  for f in sorted(fs): z.write(os.path.join(d,f),os.path.relpath(os.path.join(d,f),sys.argv[2]))\nz.close()\n";
  Command pack;
  pack.argv = {"python3", "-c", script, (scratch_ / "all.zip").string(), (scratch_ / "in").string()};
  ASSERT_TRUE(run_checked(pack).has_value());
  const auto state = load(scratch_ / "all.zip");
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(state->kind, FeedKind::osv);
  EXPECT_EQ(state->records, 3U);
  EXPECT_EQ(state->relevant, 1U);
  EXPECT_EQ(state->skipped, 1U);
  EXPECT_THAT(state->problems.at(0), HasSubstr("broken.json"));

  const std::string zip = *read_file(scratch_ / "all.zip");
  const auto cut = load(write("cut.zip", zip.substr(0, zip.size() / 3)));
  ASSERT_FALSE(cut.has_value());
  EXPECT_THAT(cut.error().message, HasSubstr("cut.zip"));

  Command gzip;
  gzip.argv = {"gzip", "-k", write("plain.json", "[" + record + "]").string()};
  ASSERT_TRUE(run_checked(gzip).has_value());
  const auto packed = load(scratch_ / "plain.json.gz");
  ASSERT_TRUE(packed.has_value()) << packed.error().message;
  EXPECT_EQ(packed->relevant, 1U);
  const std::string bytes = *read_file(scratch_ / "plain.json.gz");
  EXPECT_FALSE(load(write("cut.gz", bytes.substr(0, bytes.size() - 12))).has_value());
}

TEST_F(Load, FolderIsOneFeed) {
  write("vex/b.json", R"({"document":{"csaf_version":"2.0","tracking":{"id":"B","current_release_date":"2026-05-01T00:00:00Z"}}})");
  write("vex/a.json", R"({"document":{"csaf_version":"2.0","tracking":{"id":"A","current_release_date":"2026-04-01T00:00:00Z"}}})");
  write("vex/notes.txt", "no feed");
  const auto state = load(scratch_ / "vex");
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(state->kind, FeedKind::csaf);
  EXPECT_EQ(format_time(state->issued.value()), "2026-05-01T00:00:00Z");
  const auto line = [&](const char* name) { return sha256(*read_file(scratch_ / "vex" / name)).hex() + "  " + name + "\n"; };
  EXPECT_EQ(state->digest, sha256(line("a.json") + line("b.json")));
  write("vex/c.json", "nothing that is known");
  EXPECT_EQ(load(scratch_ / "vex")->skipped, 1U);
  write("none/c.json", "nothing that is known");
  EXPECT_FALSE(load(scratch_ / "none").has_value());
  ASSERT_TRUE(make_dirs(scratch_ / "empty").has_value());
  EXPECT_FALSE(load(scratch_ / "empty").has_value());
}

TEST_F(Load, FolderSkipsADocumentThatIsTooLarge) {
  write("vex/a.json", R"({"document":{"csaf_version":"2.0","tracking":{"id":"A"}},"vulnerabilities":[{"cve":"CVE-2025-0001"}]})");
  const fs::path large = write("vex/large.json", R"({"document":{"csaf_version":"2.0","tracking":{"id":"B"},"x":")" + std::string(65U << 20U, 'x') + "\"}}");
  const auto state = load(scratch_ / "vex");
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(state->kind, FeedKind::csaf);
  EXPECT_EQ(state->records, 2U);
  EXPECT_EQ(state->skipped, 1U);
  ASSERT_EQ(state->problems.size(), 1U);
  EXPECT_THAT(state->problems[0], HasSubstr("large.json: larger than 64"));
  const auto alone = load(large);
  ASSERT_FALSE(alone.has_value());
  EXPECT_THAT(alone.error().message, HasSubstr("larger than 64"));
}

TEST_F(Load, OsvIdWithASpaceIsUsed) {
  const auto state = load_text(osv("SUSE-SU-403 Forbidden-1", "Debian:12", "openssl", fixed_in("3.0.10-1")));
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(state->skipped, 0U);
  EXPECT_EQ(lines(*database_.match(machine_with_openssl)), std::vector<std::string>{"SUSE-SU-403_Forbidden-1 openssl 3.0.9-1 affected_fixed 3.0.10-1"});
}

TEST_F(Load, OsvRecordWithoutPackagesIsKnownAndSaysNothing) {
  const auto state = load_text(R"({"id":"SUSE-SU-2015:0011-2","modified":"2014-01-27T18:38:10Z","related":["CVE-2014-0591"],"summary":"bind"})");
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(state->kind, FeedKind::osv);
  EXPECT_EQ(state->records, 1U);
  EXPECT_EQ(state->relevant + state->skipped, 0U);
}

TEST_F(Load, FoldersInAFolderAreRead) {
  const auto document = [](const std::string& id) { return R"({"document":{"csaf_version":"2.0","tracking":{"id":")" + id + R"("}}})"; };
  write("csaf/2024/a.json", document("A"));
  write("csaf/2025/01/b.json", R"({"document":{"csaf_version":"2.0","tracking":{"id":"B"}},"vulnerabilities":[{"cve":"CVE-2025-0001"}]})");
  write("csaf/changes.csv", "\"2025/01/b.json\",\"2025-01-01T00:00:00Z\"");
  write("csaf/provider-metadata.json", R"({"canonical_url":"https://x/provider-metadata.json","metadata_version":"2.0"})");
  write("csaf/feed-tlp-white.json", R"({"feed":{"id":"x","entry":[]}})");
  const auto state = load(scratch_ / "csaf", FeedKind::csaf);
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(state->records, 1U);
  EXPECT_EQ(state->skipped, 0U);
  std::string digests;
  for (const std::string name : {"2024/a.json", "2025/01/b.json", "feed-tlp-white.json", "provider-metadata.json"}) {
    digests += sha256(*read_file(scratch_ / "csaf" / name)).hex() + "  " + name + "\n";
  }
  EXPECT_EQ(state->digest, sha256(digests));
}

TEST_F(Load, LinksInAFolderAreNotFollowedAndTold) {
  write("feeds/a.json", record);
  write("outside/b.json", other_record);
  fs::create_symlink(scratch_ / "outside/b.json", scratch_ / "feeds/b.json");
  fs::create_directory_symlink(scratch_ / "outside", scratch_ / "feeds/outside");
  fs::create_directory_symlink(scratch_ / "feeds", scratch_ / "feeds/itself");
  fs::create_symlink("nowhere", scratch_ / "feeds/README");
  const auto state = load(scratch_ / "feeds");
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(state->records, 4U);
  EXPECT_EQ(state->relevant, 1U);
  EXPECT_EQ(state->skipped, 3U);
}

TEST_F(Load, FoldersAreBoundedInDepth) {
  std::string path = "deep";
  for (int i = 0; i < 10; ++i) path += "/d";
  write(path + "/a.json", record);
  EXPECT_TRUE(load(scratch_ / "deep").has_value());
  for (int i = 0; i < 10; ++i) path += "/d";
  write(path + "/b.json", record);
  const auto state = load(scratch_ / "deep");
  ASSERT_FALSE(state.has_value());
  EXPECT_THAT(state.error().message, HasSubstr("deeper than 16 levels"));
}

TEST_F(Load, FolderWithABrokenFeedFails) {
  const std::string document = R"({"document":{"csaf_version":"2.0","tracking":{"id":"B","current_release_date":"2026-05-01T00:00:00Z"}}})";
  write("vex/a.json", document);
  for (const auto& [text, fails] : {std::pair(document.substr(0, 40), true), std::pair(document.substr(0, 5), true), std::pair(std::string(), true),
                                    std::pair(std::string(R"({"document":{"csaf_version":"1.2"}})"), true), std::pair(record.substr(0, 60), true),
                                    std::pair(std::string(R"({"canonical_url":"https://x"})"), false), std::pair(std::string("<xml/>"), false)}) {
    write("vex/b.json", text);
    for (const auto kind : {FeedKind::automatic, FeedKind::csaf}) {
      const auto state = load(scratch_ / "vex", kind);
      EXPECT_EQ(state.has_value(), !fails) << text;
      if (state) {
        EXPECT_EQ(state->skipped, text.starts_with("<xml") ? 1U : 0U) << text;
      } else {
        EXPECT_THAT(state.error().message, HasSubstr("b.json"));
      }
    }
  }
}

TEST_F(Load, WhatIsNoFeedNamesTheFileAndTheReason) {
  for (const std::string text : {"", "hello", "{}", "[", "[{]", "{\"a\":1}", "<xml/>", "PK\x03\x04 broken"}) {
    const auto state = load_text(text);
    ASSERT_FALSE(state.has_value()) << text;
    EXPECT_EQ(state.error().code, Errc::failed);
    EXPECT_THAT(state.error().message, HasSubstr((scratch_ / "feed").string())) << text;
  }
  const auto missing = load(scratch_ / "missing");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Errc::not_found);
  EXPECT_FALSE(load("/dev/null").has_value());
}

TEST_F(Load, WrongKindIsAnErrorNotAnEmptyFeed) {
  const std::string catalogue = R"({"title":"K","catalogVersion":"2026.11.01","vulnerabilities":[{"cveID":"CVE-2023-5363","dateAdded":"2026-10-01"}]})";
  const std::pair<FeedKind, std::string> rows[] = {
      {FeedKind::osv, record},
      {FeedKind::osv, "[" + record + "]"},
      {FeedKind::osv, R"({"id":"CVE-2023-5363","affected":[]})"},
      {FeedKind::debian_tracker, tracker("openssl", "CVE-2023-5363", "bookworm", R"({"status":"open"})")},
      {FeedKind::debian_tracker, tracker("openssl", "TEMP-0000000-ABCDEF", "bookworm", R"({"status":"open"})")},
      {FeedKind::csaf, R"({"document":{"csaf_version":"2.0","tracking":{"id":"X"}}})"},
      {FeedKind::csaf, R"({"vulnerabilities":[{"cve":"CVE-2023-5363"}],"document":{"csaf_version":"2.0","tracking":{"id":"X"}}})"},
      {FeedKind::csaf, R"({"vulnerabilities":[{"cve":"CVE-2023-5363","title":")" + std::string(300'000, 'x') +
                           R"("}],"document":{"csaf_version":"2.0","tracking":{"id":"X"}}})"},
      {FeedKind::csaf, R"({"product_tree":{"branches":[{"name":")" + std::string(300'000, 'x') +
                           R"("}]},"document":{"csaf_version":"2.0","tracking":{"id":"X"}}})"},
      {FeedKind::kev, catalogue},
      {FeedKind::kev, catalogue.substr(0, 1) + catalogue.substr(catalogue.find("\"vuln"))},
      {FeedKind::epss, "cve,epss,percentile\nCVE-2023-5363,0.5,0.5\n"},
      {FeedKind::epss, "#model_version:v1,score_date:2026-01-01\ncve,epss,percentile\n"},
  };
  for (const auto& [kind, text] : rows) {
    EXPECT_EQ(load_text(text)->kind, kind) << text.substr(0, 200);
    for (const auto named : {FeedKind::osv, FeedKind::debian_tracker, FeedKind::csaf, FeedKind::kev, FeedKind::epss}) {
      const auto state = load_text(text, named);
      EXPECT_EQ(state.has_value(), named == kind) << to_string(named) << "=" << text.substr(0, 200);
      if (!state) {
        EXPECT_EQ(state.error().code, Errc::usage) << state.error().message;
        EXPECT_THAT(state.error().message, HasSubstr(fmt::format("no {} feed but a {} feed", to_string(named), to_string(kind))));
      }
    }
  }
}

TEST_F(Load, WhatIsOfNoKindIsNoEmptyFeedOfTheNamedOne) {
  for (const auto named : {FeedKind::osv, FeedKind::debian_tracker, FeedKind::csaf, FeedKind::kev, FeedKind::epss}) {
    for (const std::string text : {"", "{}", "{\"a\":1}", "{\"a\":{}}", "hello", "7"}) {
      EXPECT_FALSE(load_text(text, named).has_value()) << to_string(named) << "=" << text;
    }
  }
}

TEST_F(Load, TruncatedArrayFails) {
  const std::string text = "[" + record + "," + other_record + "]";
  for (std::size_t length = 1; length < text.size(); length += 7) EXPECT_FALSE(load_text(text.substr(0, length), FeedKind::osv).has_value()) << length;
}

TEST_F(Load, RecordsOfAnyShapeAreSkippedNotBelieved) {
  // Every one names the package, so that it is looked at.
  const std::string package = R"("package":{"ecosystem":"Debian:12","name":"openssl"})";
  const std::string rows[] = {
      R"({"id":["x"],"affected":[{)" + package + "}]}",
      R"({"id":"","affected":[{)" + package + "}]}",
      R"({"id":"with\ttab","affected":[{)" + package + "}]}",
      R"({"id":"CVE-2023-0001","affected":{)" + package + "}}",
      R"(["name","openssl",{"name":"openssl"}])",
      R"({"id":"CVE-2023-0001","affected":[{)" + package + R"(}],"x":1e999999})",
      R"({"id":"CVE-2023-0001","affected":[{)" + package + R"(}],"x":)" + std::string(70, '[') + std::string(70, ']') + "}",
  };
  for (const auto& row : rows) {
    Interest interest;
    interest.everything = true;
    const auto state = Database(std::move(interest)).load({FeedKind::osv, "x", write("feed", "[" + row + "]"), {}});
    const bool too_deep = row.find("[[[") != std::string::npos;
    ASSERT_EQ(state.has_value(), !too_deep) << row << (state ? "" : state.error().message);
    if (too_deep) continue;
    EXPECT_EQ(state->skipped, 1U) << row;
    EXPECT_EQ(state->relevant, 0U) << row;
  }
  // Broken parts of a record that is otherwise good.
  const auto state = load_text("[" + osv("CVE-2023-0001", "Debian:12", "openssl",
                                         R"("ranges":[null,7,{"type":"ECOSYSTEM","events":"x"},{"type":"ECOSYSTEM","events":[{"introduced":0}]}],"versions":[1,null])",
                                         R"("aliases":"CVE-2023-0002","severity":{"type":1},"published":-1,"summary":[])") + "]");
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_FALSE(state->problems.empty());
  EXPECT_EQ(lines(*database_.match(machine_with_openssl)), std::vector<std::string>{"CVE-2023-0001 openssl 3.0.9-1 under_investigation -"});
}

TEST_F(Load, HostileTextStaysOneLine) {
  const std::string hostile = R"(red\u001b[31m\nsecond line)";
  ASSERT_TRUE(load_text(tracker("openssl", "CVE-2023-5363", "bookworm", R"({"status":"open","nodsa":")" + hostile + R"(","nodsa_reason":""})")).has_value());
  const auto found = *database_.match(machine_with_openssl);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].reason.find('\n'), std::string::npos);
  const auto state = load_text(R"([{"id":"a\u001b\nb","affected":[{"package":{"name":"openssl","ecosystem":"Debian:12"}}]},{"name":"openssl"}])", FeedKind::osv);
  ASSERT_TRUE(state.has_value());
  for (const auto& problem : state->problems) EXPECT_EQ(problem.find_first_of("\x1b\n"), std::string::npos);
}

TEST_F(Load, ProblemsAreBounded) {
  std::string text = "[";
  for (int i = 0; i < 100; ++i) text += std::string(i > 0 ? "," : "") + R"({"id":"","affected":[{"package":{"name":"openssl"}}]})";
  const auto state = load_text(text + "]");
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(state->skipped, 100U);
  EXPECT_EQ(state->problems.size(), 20U);
}

TEST_F(Load, EpssLines) {
  ASSERT_TRUE(load_text(record).has_value());
  const auto state = load_text("#model_version:v1,score_date:2026-01-01\ncve,epss,percentile\nCVE-2023-5363,1.5,0.1\nCVE-2023-5363,nan,0.1\nx\nCVE-2023-5363,0.25,0.5");
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(state->skipped, 3U);
  EXPECT_EQ(state->relevant, 1U);
  EXPECT_EQ(database_.find("CVE-2023-5363")->epss, 0.25);
  EXPECT_FALSE(load_text("cve,score\n", FeedKind::epss).has_value());
  EXPECT_FALSE(load_text("#" + std::string(100'000, 'x'), FeedKind::epss).has_value());
}

TEST(FeedWords, GoBothWays) {
  for (const auto kind : {FeedKind::automatic, FeedKind::osv, FeedKind::debian_tracker, FeedKind::csaf, FeedKind::kev, FeedKind::epss}) {
    EXPECT_EQ(*parse_feed_kind(to_string(kind)), kind);
  }
  EXPECT_FALSE(parse_feed_kind("nvd").has_value());
  for (const auto severity : {Severity::unknown, Severity::none, Severity::low, Severity::medium, Severity::high, Severity::critical}) {
    EXPECT_EQ(*parse_severity(to_string(severity)), severity);
  }
  EXPECT_EQ(*parse_severity("IMPORTANT"), Severity::high);
  EXPECT_FALSE(parse_severity("").has_value());
}

}  // namespace
}  // namespace vmpatch::advisory::test
