#include <gtest/gtest.h>

#include "vmpatch/fetch/session.hpp"

namespace vmpatch::fetch {
namespace {

TEST(ShownUrl, LeavesOutWhatMayBeSecret) {
  EXPECT_EQ(shown_url("https://example.org/a/b?token=secret#secret"), "https://example.org/a/b");
  EXPECT_EQ(shown_url("https://user:secret@example.org:8080/a"), "https://example.org:8080/a");
  EXPECT_EQ(shown_url("https://user:se@cret@example.org/a@b"), "https://example.org/a@b");
  EXPECT_EQ(shown_url("https://[2001:db8::1]:80/a"), "https://[2001:db8::1]:80/a");
  EXPECT_EQ(shown_url("file:///a/b"), "file:///a/b");
  for (const std::string url : {"https://user:sec/ret@example.org/a", "user:secret@host", "https://user:secret"}) {
    EXPECT_EQ(shown_url(url).find("sec"), std::string::npos) << shown_url(url);
  }
}

TEST(ShownUrl, IsEscaped) { EXPECT_EQ(shown_url("https://example.org/\x1b[2J\n"), "https://example.org/\\x1B[2J\\n"); }

}  // namespace
}  // namespace vmpatch::fetch
