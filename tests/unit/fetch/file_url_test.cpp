#include "fetch/file_url.hpp"

#include <gtest/gtest.h>

namespace vmpatch::fetch {
namespace {

TEST(FileUrl, NamesAPathOfThisMachine) {
  for (const std::string url : {"file:///a/b%20c%2fd%2F%C3%A4", "file:/a/b%20c%2fd%2F%C3%A4", "file://localhost/a/b%20c%2fd%2F%C3%A4"}) {
    const auto path = parse_file_url(url);
    ASSERT_TRUE(path.has_value()) << path.error().message;
    EXPECT_EQ(*path, "/a/b c/d/\xC3\xA4");
  }
}

TEST(FileUrl, AnythingElseIsAnErrorOfUsage) {
  for (const std::string url : {"file:", "file://", "file:a", "file://host/a", "file:////a", "file:///a%", "file:///a%2", "file:///a%zz", "file:///a%00b", "file:///a?b", "file:///a#b",
                                "/a", "https:///a"}) {
    const auto path = parse_file_url(url);
    ASSERT_FALSE(path.has_value()) << url << " is " << path->string();
    EXPECT_EQ(path.error().code, Errc::usage) << path.error().message;
  }
}

}  // namespace
}  // namespace vmpatch::fetch
