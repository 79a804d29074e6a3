#pragma once
// Feeds from text and machines from a few words, for the tests of matching.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "unit/core/scratch.hpp"
#include "vmpatch/advisory/database.hpp"
#include "vmpatch/core/file.hpp"

namespace vmpatch::advisory::test {

struct TextFeed {
  FeedKind kind = FeedKind::automatic;
  std::string text;
};

/// Installed, unless `state` says something else.
inline guest::Package package(const std::string& name, const std::string& version, const std::string& source = "",
                              const std::string& source_version = "", const std::string& state = "installed") {
  guest::Package result;
  result.name = name;
  result.version = version;
  result.arch = "amd64";
  result.source = source.empty() ? name : source;
  result.source_version = source_version.empty() ? version : source_version;
  result.status = "install ok " + state;
  return result;
}

inline guest::Facts machine(const std::string& id, const std::string& version_id, std::vector<guest::Package> packages,
                            const std::string& manager = "dpkg") {
  guest::Facts facts;
  facts.os.id = id;
  facts.os.version_id = version_id;
  facts.package_manager = manager;
  facts.packages = std::move(packages);
  return facts;
}

inline guest::Facts debian12(std::vector<guest::Package> packages) { return machine("debian", "12", std::move(packages)); }

/// A database that has read the feeds in their order; every one must be readable.
inline Database database(const std::vector<TextFeed>& feeds, const guest::Facts& facts, std::vector<FeedState>* states = nullptr) {
  const vmpatch::test::Scratch scratch;
  Interest interest;
  interest.add(facts);
  Database result(std::move(interest));
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    FeedFile file;
    file.kind = feeds[i].kind;
    file.origin = "feed" + std::to_string(i);
    file.file = scratch / file.origin;
    EXPECT_TRUE(write_file_atomic(file.file, feeds[i].text).has_value());
    auto state = result.load(file);
    EXPECT_TRUE(state.has_value()) << (state ? "" : state.error().message);
    if (state && states != nullptr) states->push_back(*state);
  }
  return result;
}

/// What is found, as "ID PACKAGE INSTALLED STATUS FIXED" with "-" for no fixed version.
inline std::vector<std::string> lines(const std::vector<Finding>& findings) {
  std::vector<std::string> result;
  for (const auto& finding : findings) {
    result.push_back(fmt::format("{} {} {} {} {}", finding.advisory->id, finding.package, finding.installed, status_word(finding.status),
                                 finding.fixed.empty() ? "-" : finding.fixed));
  }
  return result;
}

inline std::vector<Finding> findings(const std::vector<TextFeed>& feeds, const guest::Facts& facts) {
  const Database loaded = database(feeds, facts);
  auto found = loaded.match(facts);
  EXPECT_TRUE(found.has_value()) << (found ? "" : found.error().message);
  return found ? *found : std::vector<Finding>();
}

/// An OSV record on one package: `affected` is the rest of affected[0], behind "package".
inline std::string osv(const std::string& id, const std::string& ecosystem, const std::string& name, const std::string& affected,
                       const std::string& rest = "") {
  return fmt::format(R"({{"schema_version":"1.7.0","id":"{}","modified":"2026-01-01T00:00:00Z",{}"affected":[{{"package":{{"ecosystem":"{}","name":"{}"}},{}}}]}})",
                     id, rest.empty() ? "" : rest + ",", ecosystem, name, affected);
}

inline std::string ranges(const std::string& events) { return R"("ranges":[{"type":"ECOSYSTEM","events":[)" + events + "]}]"; }
inline std::string fixed_in(const std::string& version) { return ranges(R"({"introduced":"0"},{"fixed":")" + version + "\"}"); }

/// One CVE of the Debian tracker in one release: `release` is its object.
inline std::string tracker(const std::string& package, const std::string& id, const std::string& codename, const std::string& release) {
  return fmt::format(R"({{"{}":{{"{}":{{"description":"about {}","scope":"remote","releases":{{"{}":{}}}}}}}}})", package, id, id, codename, release);
}

}  // namespace vmpatch::advisory::test
