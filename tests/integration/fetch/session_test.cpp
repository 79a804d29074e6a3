// Session with the real vm-patch-fetch against a server on loopback.
#include <signal.h>

#include "integration/fetch/fetch_fixture.hpp"

namespace vmpatch::fetch {
namespace {

TEST_F(Fetch, ManyRequestsShareOneProcessAndOneConnection) {
  put("empty", "");
  put("large", numbers(3U << 20U));
  for (int i = 0; i < 10; ++i) {
    const std::string name = i % 3 == 0 ? "empty" : i % 3 == 1 ? "large" : "small";
    const auto reply = get(ask("/files/" + name));
    ASSERT_TRUE(reply.has_value()) << reply.error().message;
    EXPECT_EQ(content_, read_file(folder_ / name).value_or("?"));
    EXPECT_EQ(reply->size, content_.size());
  }
  EXPECT_EQ(running_fetchers().size(), 1U);
  for (const auto& words : server_.asked()) EXPECT_EQ(words.at(0), "1");
}

TEST_F(Fetch, ErrorOfTheServerLeavesTheConnectionOfUse) {
  const auto missing = get(ask("/files/missing"));
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Errc::failed);
  EXPECT_NE(missing.error().message.find("404"), std::string::npos) << missing.error().message;
  EXPECT_EQ(content_, "");
  ASSERT_TRUE(get(ask("/files/small")).has_value());
  EXPECT_EQ(server_.asked().back().at(0), "1");
}

TEST_F(Fetch, ConnectionThatBreaksIsAnErrorOfThatRequestAlone) {
  put("large", numbers(1U << 20U));
  const auto cut = get(ask("/cut/large"));
  ASSERT_FALSE(cut.has_value());
  EXPECT_EQ(cut.error().code, Errc::failed);
  const auto fetchers = running_fetchers();
  ASSERT_TRUE(get(ask("/files/small")).has_value());
  EXPECT_EQ(running_fetchers(), fetchers);
}

TEST_F(Fetch, SizeAboveTheLimitIsAnErrorOfThatRequestAlone) {
  put("large", numbers(1U << 20U));
  for (const std::string way : {"/files/large", "/endless/large"}) {
    Request request = ask(way);
    request.max_bytes = (1U << 20U) - 1;
    const auto reply = get(request);
    ASSERT_FALSE(reply.has_value()) << way;
    EXPECT_NE(reply.error().message.find("larger than"), std::string::npos) << reply.error().message;
    EXPECT_LE(content_.size(), request.max_bytes);
    ASSERT_TRUE(get(ask("/files/small")).has_value());
  }
  Request exact = ask("/files/large");
  exact.max_bytes = 1U << 20U;
  ASSERT_TRUE(get(exact).has_value());
  EXPECT_EQ(running_fetchers().size(), 1U);
}

TEST_F(Fetch, ErrorOfTheSinkEndsTheDownload) {
  put("large", numbers(8U << 20U));
  const auto refuse = [](std::uint64_t, std::string_view) -> Result<void> { return make_error(Errc::busy, "no room"); };
  const auto reply = session_.fetch(ask("/endless/large"), refuse);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, Errc::busy);
  ASSERT_TRUE(get(ask("/files/small")).has_value());
  EXPECT_EQ(content_, "content of a small file\n");
}

TEST_F(Fetch, ProgramThatDiesIsAnErrorOfThatRequestAlone) {
  put("large", numbers(1U << 20U));
  const auto kill_it = [](std::uint64_t, std::string_view) -> Result<void> {
    for (const pid_t pid : running_fetchers()) ::kill(pid, SIGKILL);
    return {};
  };
  const auto reply = session_.fetch(ask("/halting/large"), kill_it);
  ASSERT_FALSE(reply.has_value());
  EXPECT_NE(reply.error().message.find("vm-patch-fetch ended"), std::string::npos) << reply.error().message;
  ASSERT_TRUE(get(ask("/files/small")).has_value());
}

TEST_F(Fetch, ProgramThatDiedMeanwhileIsStartedAgain) {
  ASSERT_TRUE(get(ask("/files/small")).has_value());
  const auto fetchers = running_fetchers();
  ASSERT_EQ(fetchers.size(), 1U);
  ::kill(fetchers[0], SIGKILL);
  while (!running_fetchers().empty()) ::usleep(5'000);
  ASSERT_TRUE(get(ask("/files/small")).has_value());
  EXPECT_EQ(server_.asked().back().at(0), "2");
}

TEST_F(Fetch, NothingRunsBeforeTheFirstRequestAndAfterTheSession) {
  EXPECT_TRUE(running_fetchers().empty());
  {
    Session another(log_);
    ASSERT_TRUE(another.fetch(ask("/files/small"), [](std::uint64_t, std::string_view) { return Result<void>(); }).has_value());
    EXPECT_EQ(running_fetchers().size(), 1U);
  }
  EXPECT_TRUE(running_fetchers().empty());
}

}  // namespace
}  // namespace vmpatch::fetch
