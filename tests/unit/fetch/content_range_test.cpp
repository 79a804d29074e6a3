#include "fetch/content_range.hpp"

#include <gtest/gtest.h>

namespace vmpatch::fetch {
namespace {

TEST(ContentRange, IsReadWithAndWithoutTotal) {
  const auto whole = parse_content_range("bytes 5-9/10");
  ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(whole->first, 5U);
  EXPECT_EQ(whole->last, 9U);
  EXPECT_EQ(whole->total, 10U);
  const auto open = parse_content_range("bytes 0-18446744073709551615/*");
  ASSERT_TRUE(open.has_value());
  EXPECT_EQ(open->total, 0U);
}

TEST(ContentRange, AnyOtherTextIsNone) {
  for (const std::string_view text : {"", "bytes", "bytes 5-9", "bytes 5-9/", "bytes 9-5/10", "bytes 5-10/10", "bytes -5-9/10", "bytes 5-9/10 ",
                                      "bytes */10", "5-9/10", "bytes 5-9/1x", "bytes 18446744073709551616-18446744073709551617/*"}) {
    EXPECT_FALSE(parse_content_range(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace vmpatch::fetch
