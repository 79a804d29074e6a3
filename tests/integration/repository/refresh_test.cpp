// A whole archive of apt-ftparchive in a folder, signed by a real key: refreshed, changed, and refreshed again.
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <set>

#include "integration/repository/archive_fixture.hpp"
#include "integration/repository/signing_keys.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/repository/repository.hpp"

namespace vmpatch::repository {
namespace {

using test::ListedPackage;
using test::packages_list;

constexpr const char* list_path = "main/binary-amd64/Packages";

class Refresh : public testing::Test {
 protected:
  static void SetUpTestSuite() { keys_ = std::make_unique<test::SigningKeys>(); }
  static void TearDownTestSuite() { keys_.reset(); }

  void SetUp() override {
    source_.name = "debian";
    source_.uris = {"file://" + (folder_ / "archive").string() + "/"};
    source_.suites = {"bookworm-security"};
    source_.components = {"main"};
    source_.architectures = {"amd64"};
    source_.signed_by = {folder_.write("key.gpg", keys_->export_keys({key()}))};
    source_.security = true;
    repositories_ = make_apt_repositories({folder_ / "state", folder_ / "cache", folder_ / "scratch"}, clock_, log_).value();
  }

  static std::string key() {
    static const std::string fingerprint = keys_->make("Archive <archive@example.org>");
    return fingerprint;
  }
  [[nodiscard]] fs::path dists(const std::string& name = "") const { return folder_ / ("archive/dists/bookworm-security/" + name); }

  /// As Debian's security archive is: its components are called updates/main. The text that is signed.
  /// `packed`: the list is there as .xz alone, with another content where one is given.
  [[nodiscard]] std::string publish(const std::string& date, const std::vector<ListedPackage>& packages, const std::string& valid_until = "", bool packed = false,
                                    const std::optional<std::string>& content = std::nullopt) const {
    fs::remove_all(dists("main"));
    fs::create_directories(dists("main/binary-amd64"));
    std::ofstream(dists(list_path)) << packages_list(packages);
    if (packed) {
      Command xz;
      xz.argv = {"xz", "-0c"};
      xz.input = content.value_or(packages_list(packages));
      std::ofstream(dists(list_path).string() + ".xz") << run_checked(xz).value().out;
    }
    const std::map<std::string, std::string> fields{{"Origin", "Debian"}, {"Label", "Debian-Security"}, {"Suite", "stable-security"}, {"Codename", "bookworm-security"},
                                           {"Architectures", "amd64 arm64"}, {"Components", "updates/main updates/contrib"}, {"Acquire-By-Hash", "yes"}, {"Date", date}};
    Command command;
    command.argv = {"apt-ftparchive"};
    for (const auto& [name, value] : fields) {
      command.argv.emplace_back("-o");
      command.argv.push_back("APT::FTPArchive::Release::" + name + "=" + value);
    }
    fs::remove(dists("InRelease"));
    command.argv.insert(command.argv.end(), {"release", dists().string()});
    // Its own Valid-Until would follow the clock of this host.
    const std::string text = (valid_until.empty() ? "" : "Valid-Until: " + valid_until + "\n") + run_checked(command).value().out;
    std::ofstream(dists("InRelease")) << keys_->sign(text, {key()});
    if (packed) fs::remove(dists(list_path));
    return text;
  }
  std::string refusal() {
    const auto suites = repositories_->refresh(source_);
    return suites ? "it was accepted" : std::string(to_string(suites.error().code)) + ": " + suites.error().message;
  }

  static constexpr const char* monday = "Mon, 30 Nov 2026 10:00:00 UTC";
  static constexpr const char* tuesday = "Tue, 01 Dec 2026 10:00:00 UTC";
  const ListedPackage first_{"libfoo", "amd64", "1.0", ""};
  const ListedPackage second_{"libfoo", "amd64", "1.1", ""};
  const std::string prefix_ = "untrusted: repository debian, bookworm-security: ";

  inline static std::unique_ptr<test::SigningKeys> keys_;
  image::test::TempDir folder_;
  FixedClock clock_{parse_time("2026-12-01T12:00:00Z").value()};
  NullLog log_;
  Source source_;
  std::unique_ptr<Repositories> repositories_;
};

TEST_F(Refresh, what_is_accepted_is_loaded_again_without_the_server) {
  const std::string text = publish(monday, {first_}, "Mon, 07 Dec 2026 10:00:00 UTC");
  const auto suites = repositories_->refresh(source_);
  ASSERT_TRUE(suites) << suites.error().message;
  ASSERT_EQ(suites->size(), 1U);
  const Suite& suite = suites->front();
  EXPECT_EQ(suite.codename, "bookworm-security");
  EXPECT_EQ(format_time(suite.date), "2026-11-30T10:00:00Z");
  EXPECT_EQ(suite.release.sha256, sha256(text));
  EXPECT_EQ(suite.signers, (std::vector<SignedBy>{{key(), "Archive <archive@example.org>"}}));
  ASSERT_EQ(suite.indexes.size(), 1U);
  EXPECT_EQ(suite.indexes.at(list_path).sha256, sha256(packages_list({first_})));
  fs::remove_all(folder_ / "archive");
  EXPECT_EQ(repositories_->load(source_).value(), *suites);
  clock_.set(parse_time("2026-12-07T10:00:01Z").value());
  const auto expired = repositories_->load(source_);
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().code, Errc::untrusted);
  EXPECT_NE(expired.error().message.find("freeze: "), std::string::npos);
}

TEST_F(Refresh, compressed_list_lies_unpacked_and_one_that_did_not_change_is_not_fetched_again) {
  static_cast<void>(publish(monday, {first_}, "", true));
  ASSERT_EQ(refusal(), "it was accepted");
  const IndexFile list = repositories_->load(source_).value().front().indexes.at(list_path);
  EXPECT_EQ(list.sha256, sha256(packages_list({first_})));
  EXPECT_EQ(list.compression, "");
  const auto names_in = [&] {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_ / "cache/repositories")) names.insert(entry.path().filename().string());
    return names;
  };
  const auto names = names_in();
  EXPECT_EQ(names.size(), 2U) << "the Release file and the list";
  EXPECT_TRUE(names.contains(list.sha256.hex()));
  fs::remove_all(dists("main"));
  EXPECT_EQ(refusal(), "it was accepted");
  EXPECT_EQ(names_in(), names);
  // One that was damaged comes again.
  std::ofstream(folder_ / ("cache/repositories/" + list.sha256.hex()), std::ios::app) << "x";
  EXPECT_NE(refusal(), "it was accepted");
  static_cast<void>(publish(monday, {first_}, "", true));
  EXPECT_EQ(refusal(), "it was accepted");
  EXPECT_EQ(read_file(folder_ / ("cache/repositories/" + list.sha256.hex())).value(), packages_list({first_}));
}

TEST_F(Refresh, compressed_list_with_another_content_than_was_signed_is_untrusted_however_long_it_is) {
  const std::string text = packages_list({first_});
  const std::string other = packages_list({second_});
  ASSERT_EQ(text.size(), other.size());
  for (const std::string& content : {other, text + other, text.substr(0, text.size() / 2), std::string(), std::string(64U << 20U, 'x')}) {
    static_cast<void>(publish(monday, {first_}, "", true, content));
    EXPECT_TRUE(refusal().starts_with(prefix_ + "mix and match or tampering: main/binary-amd64/Packages.xz, unpacked, is not what was signed: ")) << content.size() << refusal();
    for (const auto& entry : fs::directory_iterator(folder_ / "cache/repositories")) EXPECT_NE(entry.path().filename().string().substr(0, 64), sha256(text).hex());
  }
  static_cast<void>(publish(monday, {first_}, "", true));
  EXPECT_EQ(refusal(), "it was accepted");
}

TEST_F(Refresh, older_state_is_a_rollback_until_it_is_forgotten) {
  ASSERT_FALSE(publish(tuesday, {second_}).empty());
  ASSERT_EQ(refusal(), "it was accepted");
  ASSERT_EQ(refusal(), "it was accepted");
  static_cast<void>(publish(monday, {first_}));
  EXPECT_TRUE(refusal().starts_with(prefix_ + "rollback: ")) << refusal();
  EXPECT_EQ(format_time(repositories_->load(source_).value().front().date), "2026-12-01T10:00:00Z");
  EXPECT_TRUE(repositories_->forget("debian").value());
  const auto unknown = repositories_->load(source_);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::not_found);
  EXPECT_EQ(refusal(), "it was accepted");
}

TEST_F(Refresh, pinned_state_is_not_remembered_as_seen) {
  static_cast<void>(publish(tuesday, {second_}));
  ASSERT_EQ(refusal(), "it was accepted");
  static_cast<void>(publish(monday, {first_}, "Mon, 30 Nov 2026 11:00:00 UTC"));
  source_.snapshot = parse_time("2026-12-01").value();  // to the end of the day before
  ASSERT_EQ(refusal(), "it was accepted");
  EXPECT_TRUE(repositories_->load(source_).value().front().pinned);
  source_.snapshot.reset();
  EXPECT_TRUE(refusal().starts_with(prefix_ + "rollback: ")) << refusal();
  static_cast<void>(publish(tuesday, {second_}));
  EXPECT_EQ(refusal(), "it was accepted");
}

TEST_F(Refresh, what_the_suite_does_not_have_is_not_found_with_what_it_has) {
  static_cast<void>(publish(monday, {first_}));
  source_.components = {"non-free"};
  EXPECT_EQ(refusal(), "not_found: repository debian, bookworm-security: " + source_.uris[0] + ": it has no component non-free; it has updates/main, updates/contrib");
  source_.components = {"main"};
  source_.architectures = {"riscv64"};
  EXPECT_EQ(refusal(), "not_found: repository debian, bookworm-security: " + source_.uris[0] + ": it has nothing for riscv64; it has amd64, arm64");
  source_.architectures = {"arm64"};
  EXPECT_TRUE(refusal().find("lists no main/binary-arm64/Packages") != std::string::npos) << refusal();
}

TEST_F(Refresh, next_address_is_asked_when_one_does_not_answer_and_not_when_it_is_refused) {
  static_cast<void>(publish(monday, {first_}));
  const std::string good = source_.uris[0];
  source_.uris = {"file://" + (folder_ / "nowhere").string() + "/", good};
  EXPECT_EQ(refusal(), "it was accepted");
  fs::create_directories(folder_ / "bad/dists/bookworm-security");
  std::ofstream(folder_ / "bad/dists/bookworm-security/InRelease") << "nothing";
  source_.uris = {"file://" + (folder_ / "bad").string() + "/", good};
  EXPECT_EQ(refusal(), prefix_ + "it is not signed");
}

}  // namespace
}  // namespace vmpatch::repository
