#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/repository/repository_verbs.hpp"
#include "unit/trust/fixtures.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::cli {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

class ListRepositories : public testing::Test {
 protected:
  std::string run(const std::string& configuration) {
    fleet::Paths paths;
    paths.config = dir_ / "vm-patch.yaml";
    EXPECT_TRUE(write_file_atomic(paths.config, "schema: vm-patch/config/v1\n" + configuration));
    EXPECT_TRUE(write_file_atomic(dir_ / "key.gpg", "key"));
    Context context{{paths, {}, clock_, log_}, options_};
    testing::internal::CaptureStdout();
    const auto result = list_repositories(context);
    auto out = testing::internal::GetCapturedStdout();
    EXPECT_TRUE(result) << result.error().message;
    return out;
  }
  std::string entry() {
    return "repositories: [{name: a, for: {os: debian}, uris: [\"https://a.example\"], suites: [s, t], components: [main], snapshot: 2026-11-01, "
           "max_age: 1d, signed_by: [" + (dir_ / "key.gpg").string() + ", " + (dir_ / "absent").string() + ", " + dir_.path().string() + "]}]\n";
  }

  test::ScratchDir dir_;
  GlobalOptions options_;
  SystemClock clock_;
  NullLog log_;
};

TEST_F(ListRepositories, table_says_which_keys_are_there) {
  const auto out = run(entry());
  EXPECT_THAT(out, ContainsRegex("a +apt +debian all +https://a.example/ +s +main +no +/.*/key.gpg\n"));
  EXPECT_THAT(out, HasSubstr("absent (missing)\n"));
  EXPECT_THAT(out, HasSubstr(dir_.path().string() + " (no file)\n"));
}

TEST_F(ListRepositories, json_has_every_word_of_an_entry) {
  options_.json = true;
  const auto json = parse_json(run(entry()), "stdout");
  ASSERT_TRUE(json) << json.error().message;
  const Json& source = (*json)["repositories"].at(0);
  EXPECT_EQ((*json)["schema"], "vm-patch/repositories/v1");
  EXPECT_EQ(source["for"], Json({{"os", "debian"}, {"versions", Json::array()}}));
  EXPECT_EQ(source["suites"], Json::array({"s", "t"}));
  EXPECT_EQ(source["snapshot"], "2026-11-01");
  EXPECT_EQ(source["max_age"], 86400);
  EXPECT_EQ(source["signed_by"][0]["state"], "readable");
  EXPECT_EQ(source["signed_by"][1]["state"], "missing");
}

TEST_F(ListRepositories, configuration_without_any_says_how_to_get_some) {
  EXPECT_THAT(run("jobs: 1\n"), HasSubstr("vm-patch repository import"));
  options_.json = true;
  EXPECT_EQ((*parse_json(run("jobs: 1\n"), "stdout"))["repositories"], Json::array());
}

}  // namespace
}  // namespace vmpatch::cli
