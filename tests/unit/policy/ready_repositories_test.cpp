// The fragments of recipes/repositories, filled in as recipes/README.md says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>

#include "vmpatch/core/file.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::policy {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

TEST(ReadyRepositories, each_is_valid_once_its_mirrors_are_filled_in_and_is_for_the_system_of_its_name) {
  unsigned count = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(VMPATCH_SOURCE_DIR) / "recipes/repositories")) {
    if (entry.path().extension() != ".yaml") continue;
    ++count;
    const std::string name = entry.path().stem();
    const auto text = read_file(entry.path());
    ASSERT_TRUE(text) << text.error().message;
    const std::string schema = "schema: vm-patch/config/v1\n";
    EXPECT_FALSE(parse_policy(schema + *text, name)) << name << " is valid with a mirror that is none";

    const std::string filled = std::regex_replace(*text, std::regex("@[A-Z_]+_MIRROR@"), "https://mirror.example.org/ubuntu");
    const auto policy = parse_policy(schema + filled, name);
    ASSERT_TRUE(policy) << policy.error().message;
    ASSERT_FALSE(policy->repositories.empty());
    for (const auto& source : policy->repositories) {
      EXPECT_THAT(source.name, StartsWith(name));
      EXPECT_EQ(source.os_id, name.substr(0, name.find('-')));
      EXPECT_THAT(source.versions, ElementsAre(name.substr(name.find('-') + 1)));
      // Debian's keyring would let Debian's keys sign for Ubuntu.
      EXPECT_THAT(source.signed_by, ElementsAre("/usr/share/keyrings/" + source.os_id + "-archive-keyring.gpg"));
      EXPECT_EQ(source.security, source.suites.at(0).ends_with("-security")) << source.name;
      // Suites that only point releases change grow old without being frozen.
      EXPECT_EQ(source.max_age.has_value(), source.suites.at(0).find('-') != std::string::npos) << source.name;
    }
    EXPECT_TRUE(std::ranges::any_of(policy->repositories, &repository::Source::security)) << name;
  }
  EXPECT_GE(count, 4U);
}

}  // namespace
}  // namespace vmpatch::policy
