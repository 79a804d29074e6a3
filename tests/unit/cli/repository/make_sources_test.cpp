#include "cli/repository/make_sources.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/repository/fragment.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class MakeSources : public testing::Test {
 protected:
  MakeSources() {
    settings_.host.id = "debian";
    settings_.host.version_id = "12";
    settings_.keyrings = {{"Debian", "/usr/share/keyrings/debian.gpg"}, {"Ubuntu", "/usr/share/keyrings/ubuntu.gpg"}};
    entries_[{"f", 1}] = {};
    entries_[{"f", 2}] = {.signed_by = {"/third.gpg"}};
  }
  AptTarget& add(const std::string& uri, const std::string& release, const std::string& component = "main", unsigned entry = 2) {
    targets_.push_back({.repo_uri = uri, .release = release, .component = component, .architecture = "amd64", .entry_file = "f", .entry = entry});
    return targets_.back();
  }
  AptTarget& add_debian(const std::string& release, const std::string& label = "Debian", const std::string& component = "main") {
    AptTarget& target = add("http://m.example/debian/", release, component, 1);
    target.codename = release;
    target.origin = "Debian";
    target.label = label;
    return target;
  }
  Imported make() {
    auto imported = make_sources(targets_, entries_, settings_);
    EXPECT_TRUE(imported) << imported.error().message;
    return imported ? *imported : Imported{};
  }
  std::string refusal() {
    const auto imported = make_sources(targets_, entries_, settings_);
    EXPECT_FALSE(imported);
    return imported ? "" : imported.error().message;
  }

  std::vector<AptTarget> targets_;
  AptEntries entries_;
  ImportSettings settings_;
};

TEST_F(MakeSources, suites_are_told_apart_and_components_and_architectures_joined) {
  add_debian("bookworm");
  add_debian("bookworm").architecture = "i386";
  add_debian("bookworm").architecture = "all";
  add_debian("bookworm", "Debian", "contrib");
  add_debian("bookworm", "Debian", "contrib").architecture = "i386";
  add_debian("bookworm", "Debian", "non-free");
  add_debian("bookworm-security", "Debian-Security");
  const auto imported = make();
  EXPECT_THAT(imported.left_out, IsEmpty());
  ASSERT_EQ(imported.sources.size(), 3U);
  EXPECT_EQ(imported.sources[0].name, "debian-bookworm");
  EXPECT_THAT(imported.sources[0].suites, ElementsAre("bookworm"));
  EXPECT_THAT(imported.sources[0].components, ElementsAre("main", "contrib"));
  EXPECT_THAT(imported.sources[0].architectures, ElementsAre("amd64", "i386"));
  EXPECT_THAT(imported.sources[0].signed_by, ElementsAre("/usr/share/keyrings/debian.gpg"));
  EXPECT_FALSE(imported.sources[0].security);
  EXPECT_EQ(imported.sources[1].name, "debian-bookworm-2");
  EXPECT_THAT(imported.sources[1].components, ElementsAre("non-free"));
  EXPECT_THAT(imported.sources[1].architectures, ElementsAre("amd64"));
  EXPECT_EQ(imported.sources[2].name, "debian-bookworm-security");
  EXPECT_TRUE(imported.sources[2].security);
}

TEST_F(MakeSources, guests_are_told_by_code_name_else_by_the_host_unless_said) {
  add_debian("stable").codename = "trixie";
  add("http://u.example/ubuntu/", "jammy-updates");
  add("http://third.example/d/", "nodistro");
  add_debian("sid");
  const auto imported = make();
  ASSERT_EQ(imported.sources.size(), 4U);
  const auto guests = [](const repository::Source& source) { return source.os_id + " " + fmt::format("{}", fmt::join(source.versions, ",")); };
  EXPECT_EQ(guests(imported.sources[0]), "debian 13");
  EXPECT_EQ(guests(imported.sources[1]), "ubuntu 22.04");
  EXPECT_EQ(guests(imported.sources[2]), "debian 12");
  EXPECT_EQ(imported.sources[2].name, "third.example-nodistro");
  EXPECT_EQ(guests(imported.sources[3]), "debian ");
  settings_.os_id = "devuan";
  settings_.version = "5";
  for (const auto& source : make().sources) EXPECT_EQ(guests(source), "devuan 5");
}

TEST_F(MakeSources, security_is_known_by_label_or_suite) {
  add_debian("bookworm", "Debian-Security");
  add_debian("jammy-security", "Ubuntu");
  add("http://m.example/old/", "buster/updates");
  add_debian("bookworm-updates");
  const auto imported = make();
  ASSERT_EQ(imported.sources.size(), 4U);
  EXPECT_TRUE(imported.sources[0].security);
  EXPECT_TRUE(imported.sources[1].security);
  EXPECT_TRUE(imported.sources[2].security);
  EXPECT_FALSE(imported.sources[3].security);
}

TEST_F(MakeSources, what_cannot_be_carried_over_is_left_out_with_the_reason_and_without_secrets) {
  entries_[{"f", 3}] = {.signed_by = {"/third.gpg"}, .trusted = "yes"};
  add("http://good.example/", "bookworm");
  const std::vector<std::pair<AptTarget, const char*>> cases{
      {add("cdrom://Debian/", "bookworm"), "https:, http: or file:"},
      {add("copy:/srv/x/", "bookworm"), "https:, http: or file:"},
      {add("mirror+file:/etc/m/", "bookworm"), "https:, http: or file:"},
      {add("tor+http://h.example/", "bookworm"), "https:, http: or file:"},
      {add("http://user:secret@h.example/", "bookworm"), "no user name and no password"},
      {add("http://h.example/?secret", "bookworm"), "remove it"},
      {add("http://h.example/flat/", "./", ""), "flat repository"},
      {add("http://h.example/", "suite/$(ARCH)"), "no suite"},
      {add("http://unsigned.example/", "bookworm", "main", 3), "trusted=yes"},
  };
  const auto imported = make();
  EXPECT_EQ(imported.sources.size(), 1U);
  ASSERT_EQ(imported.left_out.size(), cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_THAT(imported.left_out[i].reason, HasSubstr(cases[i].second));
    EXPECT_THAT(imported.left_out[i].source, HasSubstr(cases[i].first.release));
    EXPECT_THAT(imported.left_out[i].source + imported.left_out[i].reason, Not(HasSubstr("secret")));
    EXPECT_THAT(imported.left_out[i].reason, Not(HasSubstr(":5:"))) << "a place in a text that nobody sees";
  }
}

TEST_F(MakeSources, source_without_a_key_is_an_error_that_names_what_to_do_and_a_named_key_the_way_out) {
  entries_[{"f", 3}] = {.signed_by = {"/a.gpg", "0123456789ABCDEF!"}};
  entries_[{"f", 4}] = {.embedded_key = true};
  add("http://user.example/a/", "bookworm", "main", 1);
  EXPECT_THAT(refusal(), HasSubstr("run apt-get update"));
  targets_.back().origin = "Third";
  EXPECT_THAT(refusal(), HasSubstr("/etc/apt/trusted.gpg.d"));
  targets_.back().entry = 3;
  EXPECT_THAT(refusal(), HasSubstr("gpg --export"));
  targets_.back().entry = 4;
  EXPECT_THAT(refusal(), HasSubstr("save it to a file"));
  EXPECT_THAT(refusal(), HasSubstr("--signed-by FILE"));
  EXPECT_THAT(refusal(), HasSubstr("http://user.example/a/ bookworm"));
  // A distribution's keyring does not stand in for a key that apt was told.
  targets_.back().origin = "Debian";
  EXPECT_THAT(refusal(), HasSubstr("save it to a file"));
  settings_.signed_by = {"/named.gpg"};
  add("http://other.example/a/", "bookworm");
  const auto imported = make();
  ASSERT_EQ(imported.sources.size(), 2U);
  EXPECT_THAT(imported.sources[0].signed_by, ElementsAre("/named.gpg"));
  EXPECT_THAT(imported.sources[1].signed_by, ElementsAre("/third.gpg"));
}

TEST_F(MakeSources, names_are_unique_and_names_whatever_the_origin_is) {
  add("http://a.example/", "x").origin = "LP-PPA Some One's (ä)";
  add("http://b.example/", "x").origin = "LP-PPA Some One's (ä)";
  add("file:/srv/mirror/", "x");
  add("http://c.example/", "x").origin = "../";
  add("http://d.example/", std::string(200, 's')).origin = std::string(200, 'o');
  const auto imported = make();
  ASSERT_EQ(imported.sources.size(), 5U);
  EXPECT_EQ(imported.sources[0].name, "lp-ppa-some-one-s-x");
  EXPECT_EQ(imported.sources[1].name, "lp-ppa-some-one-s-x-2");
  EXPECT_EQ(imported.sources[2].name, "local-x");
  const auto policy = policy::parse_policy("schema: vm-patch/config/v1\n" + write_fragment(imported.sources), "f");
  EXPECT_TRUE(policy) << policy.error().message;
}

TEST_F(MakeSources, fragment_reads_back_as_what_was_written) {
  add_debian("bookworm").architecture = "arm64";
  add_debian("bookworm-security", "Debian-Security", "updates/main");
  add("https://third.example:8443/a%20b/~x/", "nodistro");
  const auto imported = make();
  const auto policy = policy::parse_policy("schema: vm-patch/config/v1\n" + write_fragment(imported.sources), "f");
  ASSERT_TRUE(policy) << policy.error().message;
  ASSERT_EQ(policy->repositories.size(), imported.sources.size());
  for (std::size_t i = 0; i < imported.sources.size(); ++i) {
    const auto &written = imported.sources[i], &read = policy->repositories[i];
    EXPECT_EQ(written.name, read.name);
    EXPECT_EQ(written.os_id, read.os_id);
    EXPECT_EQ(written.versions, read.versions);
    EXPECT_EQ(written.uris, read.uris);
    EXPECT_EQ(written.suites, read.suites);
    EXPECT_EQ(written.components, read.components);
    EXPECT_EQ(written.architectures, read.architectures);
    EXPECT_EQ(written.signed_by, read.signed_by);
    EXPECT_EQ(written.security, read.security);
    EXPECT_EQ(read.max_age.has_value(), written.security) << "a mirror of security updates that stands still is told";
  }
}

}  // namespace
}  // namespace vmpatch::cli
