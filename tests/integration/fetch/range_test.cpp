// Parts of files, redirects, and what ends a download.
#include "integration/fetch/fetch_fixture.hpp"

namespace vmpatch::fetch {
namespace {

class Range : public Fetch {
 protected:
  Range() { put("large", large_); }
  Result<Reply> get_from(std::uint64_t offset, const std::string& path) {
    Request request = ask(path);
    request.offset = offset;
    return get(request);
  }
  const std::string large_ = numbers(300'000);
};

TEST_F(Range, RestOfAFileComesFromItsOffset) {
  for (const std::uint64_t offset : {std::uint64_t{1}, std::uint64_t{150'000}, std::uint64_t{299'999}}) {
    const auto reply = get_from(offset, "/files/large");
    ASSERT_TRUE(reply.has_value()) << reply.error().message;
    EXPECT_EQ(reply->offset, offset);
    EXPECT_EQ(start_, offset);
    EXPECT_EQ(content_, large_.substr(offset));
    EXPECT_EQ(reply->size, content_.size());
  }
  EXPECT_EQ(server_.asked().size(), 3U);
}

TEST_F(Range, ServerThatKnowsNoRangesGivesAll) {
  const auto reply = get_from(1000, "/whole/large");
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(reply->offset, 0U);
  EXPECT_EQ(content_, large_);
  EXPECT_EQ(server_.asked().size(), 1U);
}

TEST_F(Range, ServerThatHasNoSuchPartIsAskedForAllOnce) {
  for (const std::string way : {"/416/large", "/shifted/large", "/unsaid/large"}) {
    const std::size_t before = server_.asked().size();
    const auto reply = get_from(1000, way);
    ASSERT_TRUE(reply.has_value()) << way << ": " << reply.error().message;
    EXPECT_EQ(reply->offset, 0U);
    EXPECT_EQ(content_, large_);
    const auto asked = server_.asked();
    ASSERT_EQ(asked.size(), before + 2);
    EXPECT_EQ(asked[before].at(2), "bytes=1000-");
    EXPECT_EQ(asked[before + 1].at(2), "-");
  }
}

TEST_F(Range, PartBeyondTheEndIsTheWholeFile) {
  const auto reply = get_from(300'000, "/files/large");
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(reply->offset, 0U);
  EXPECT_EQ(content_, large_);
}

TEST_F(Range, PartOfThePartIsAnError) {
  const auto reply = get_from(1000, "/short/large");
  ASSERT_FALSE(reply.has_value());
  EXPECT_NE(reply.error().message.find("only a part"), std::string::npos) << reply.error().message;
}

TEST_F(Range, RestIsTakenOnlyOfTheFileThatThePartIsOf) {
  const auto whole = get(ask("/files/large"));
  ASSERT_TRUE(whole.has_value());
  ASSERT_FALSE(whole->etag.empty());
  Request request = ask("/files/large");
  request.offset = 1000;
  request.etag = whole->etag;
  const auto rest = get(request);
  ASSERT_TRUE(rest.has_value()) << rest.error().message;
  EXPECT_EQ(rest->offset, 1000U);
  EXPECT_EQ(server_.asked().back().at(3), whole->etag);
  EXPECT_EQ(server_.asked().back().at(4), "-");
  request.etag.clear();
  request.last_modified = whole->last_modified;
  const auto by_date = get(request);
  ASSERT_TRUE(by_date.has_value()) << by_date.error().message;
  EXPECT_EQ(by_date->offset, 1000U);
  request.etag = "\"another\"";
  const auto another = get(request);
  ASSERT_TRUE(another.has_value()) << another.error().message;
  EXPECT_EQ(another->offset, 0U);
  EXPECT_EQ(content_, large_);
}

TEST_F(Range, WeakTagIsNotAskedBy) {
  Request request = ask("/files/large");
  request.offset = 1000;
  request.etag = "W/\"weak\"";
  request.last_modified = "Sun, 01 Nov 2026 00:00:00 GMT";
  ASSERT_TRUE(get(request).has_value());
  EXPECT_EQ(server_.asked().back().at(3), "Sun,_01_Nov_2026_00:00:00_GMT");
}

TEST_F(Range, LimitIsThatOfTheWholeFile) {
  Request request = ask("/files/large");
  request.offset = 299'999;
  request.max_bytes = 299'999;
  const auto reply = get(request);
  ASSERT_FALSE(reply.has_value());
  EXPECT_NE(reply.error().message.find("larger than"), std::string::npos) << reply.error().message;
  EXPECT_EQ(content_, "");
  request.max_bytes = 300'000;
  EXPECT_TRUE(get(request).has_value());
}

TEST_F(Fetch, PageOfAnErrorIsNoContentHoweverLarge) {
  Request request = ask("/files/missing");
  request.max_bytes = 3;
  const auto reply = get(request);
  ASSERT_FALSE(reply.has_value());
  EXPECT_NE(reply.error().message.find("404"), std::string::npos) << reply.error().message;
}

TEST_F(Fetch, RedirectWhereNoneIsAllowedIsAnErrorThatSaysSo) {
  Request request = ask("/redirect/small?token=secret");
  request.access.redirects = false;
  const auto reply = get(request);
  ASSERT_FALSE(reply.has_value());
  EXPECT_NE(reply.error().message.find("redirects to " + server_.url("/files/small")), std::string::npos) << reply.error().message;
  EXPECT_EQ(content_, "");
  EXPECT_EQ(server_.asked().size(), 1U);
}

TEST_F(Fetch, RedirectToHttpIsAnErrorOfThatRequestAlone) {
  const auto reply = get(ask("/redirect/small"));
  ASSERT_FALSE(reply.has_value());
  EXPECT_NE(reply.error().message.find("something else than https"), std::string::npos) << reply.error().message;
  ASSERT_TRUE(get(ask("/files/small")).has_value());
  EXPECT_EQ(running_fetchers().size(), 1U);
}

TEST_F(Fetch, SlowDripEndsByTheSpeedAndByTheTime) {
  Request slow = ask("/drip/small");
  slow.access.limits.slowest = 1'000'000;
  slow.access.limits.silence = std::chrono::seconds(1);
  const auto by_speed = get(slow);
  ASSERT_FALSE(by_speed.has_value());
  EXPECT_EQ(by_speed.error().code, Errc::timeout) << by_speed.error().message;
  Request patient = ask("/drip/small");
  patient.access.limits.slowest = 0;
  patient.access.limits.overall = std::chrono::milliseconds(300);
  const auto by_time = get(patient);
  ASSERT_FALSE(by_time.has_value());
  EXPECT_EQ(by_time.error().code, Errc::timeout) << by_time.error().message;
  EXPECT_TRUE(get(ask("/files/small")).has_value());
}

TEST_F(Fetch, UrlsThatAreNoneAreErrorsOfUsage) {
  for (const std::string url : {"", "nonsense", "ftp://127.0.0.1/a", "file:///etc/passwd", "https://user:secret@127.0.0.1/a", "https://user:sec/ret@127.0.0.1/a",
                                "http://192.0.2.1/a", "http://127.0.0.1.example.org/a"}) {
    Request request;
    request.url = url;
    const auto reply = get(request);
    ASSERT_FALSE(reply.has_value()) << url;
    EXPECT_EQ(reply.error().code, Errc::usage) << url << ": " << reply.error().message;
    EXPECT_EQ(reply.error().message.find("sec"), std::string::npos) << reply.error().message;
  }
}

}  // namespace
}  // namespace vmpatch::fetch
