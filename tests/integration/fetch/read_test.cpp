// read_url() with the real vm-patch-fetch, and with files.
#include <sys/stat.h>

#include "integration/fetch/fetch_fixture.hpp"
#include "vmpatch/fetch/download.hpp"

namespace vmpatch::fetch {
namespace {

TEST_F(Fetch, TextComesOnceAndIsUnchangedThen) {
  Request request = ask("/files/small");
  const auto first = read_url(session_, request);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_EQ(first->content, "content of a small file\n");
  EXPECT_FALSE(first->unchanged);
  ASSERT_FALSE(first->etag.empty());
  ASSERT_FALSE(first->last_modified.empty());
  request.etag = first->etag;
  request.last_modified = first->last_modified;
  const auto again = read_url(session_, request);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_TRUE(again->unchanged);
  EXPECT_EQ(again->content, "");
  put("small", "another");
  const auto changed = read_url(session_, request);
  ASSERT_TRUE(changed.has_value()) << changed.error().message;
  EXPECT_FALSE(changed->unchanged);
  EXPECT_EQ(changed->content, "another");
}

TEST_F(Fetch, TextIsBounded) {
  for (const std::string way : {"/files/small", "/endless/small"}) {
    Request request = ask(way);
    request.max_bytes = 23;
    const auto got = read_url(session_, request);
    ASSERT_FALSE(got.has_value()) << way;
    EXPECT_NE(got.error().message.find("larger than"), std::string::npos) << got.error().message;
  }
}

TEST_F(Fetch, TextOfAFileIsUnchangedUntilItIsWritten) {
  Request request;
  request.url = "file://" + folder_.string() + "/small";
  request.max_bytes = 24;
  const auto first = read_url(session_, request);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_EQ(first->content, "content of a small file\n");
  request.etag = first->etag;
  const auto again = read_url(session_, request);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_TRUE(again->unchanged);
  put("another", "content of a small fil.\n");
  fs::rename(folder_ / "another", folder_ / "small");
  const auto changed = read_url(session_, request);
  ASSERT_TRUE(changed.has_value()) << changed.error().message;
  EXPECT_EQ(changed->content, "content of a small fil.\n");
  EXPECT_TRUE(running_fetchers().empty());
}

TEST_F(Fetch, FilesThatAreNoTextsAreRefused) {
  Request request;
  fs::create_symlink(folder_ / "small", folder_ / "link");
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  for (const std::string name : {"link", "fifo"}) {
    request.url = "file://" + folder_.string() + "/" + name;
    const auto got = read_url(session_, request);
    ASSERT_FALSE(got.has_value()) << name;
    EXPECT_EQ(got.error().code, Errc::refused) << got.error().message;
  }
  request.url = "file://" + folder_.string() + "/small";
  request.max_bytes = 23;
  const auto large = read_url(session_, request);
  ASSERT_FALSE(large.has_value());
  EXPECT_NE(large.error().message.find("larger than"), std::string::npos) << large.error().message;
}

}  // namespace
}  // namespace vmpatch::fetch
