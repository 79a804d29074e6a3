// obtain() with the real vm-patch-fetch against a server on loopback.
#include <future>
#include <thread>

#include "integration/advisory/obtain_fixture.hpp"
#include "support/tls_identity.hpp"

namespace vmpatch::advisory {
namespace {

TEST_F(Obtain, FetchesOnceAndUsesAYoungCopy) {
  const auto first = get("kev=" + server_.url("/feed"));
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_EQ(text(*first), content);
  EXPECT_EQ(first->kind, FeedKind::kev);
  EXPECT_EQ(first->origin, "kev=" + server_.url("/feed"));
  EXPECT_EQ(first->fetched, clock_.now());
  const Time then = clock_.now();
  later(Seconds(3600));
  const auto second = get("kev=" + server_.url("/feed"));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->fetched, then);
  EXPECT_EQ(server_.requests(), std::vector<std::string>{"/feed - -"});
}

TEST_F(Obtain, AsksWhetherAnOldCopyHasChanged) {
  ASSERT_TRUE(get(server_.url("/feed")).has_value());
  later(Seconds(25 * 3600));
  const auto again = get(server_.url("/feed"));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(text(*again), content);
  EXPECT_EQ(again->fetched, clock_.now());
  EXPECT_EQ(server_.requests().back(), "/feed \"v1\" Sun, 01 Nov 2026 00:00:00 GMT");
  // The answer counts as a fetch.
  ASSERT_TRUE(get(server_.url("/feed")).has_value());
  EXPECT_EQ(server_.requests().size(), 2U);
  EXPECT_EQ(leftovers(), 0U);
}

TEST_F(Obtain, RefreshAsksWhateverTheAge) {
  ASSERT_TRUE(get(server_.url("/feed")).has_value());
  options_.refresh = true;
  ASSERT_TRUE(get(server_.url("/feed")).has_value());
  EXPECT_EQ(server_.requests().size(), 2U);
}

TEST_F(Obtain, TruncatedBodyIsNotKept) {
  const auto got = get(server_.url("/truncated"));
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Errc::failed);
  EXPECT_TRUE(holds_no_copy());
}

TEST_F(Obtain, TruncatedUpdateLeavesTheOldCopyAndWarns) {
  ASSERT_TRUE(get(server_.url("/changed-but-truncated")).has_value());
  const Time then = clock_.now();
  later(Seconds(50 * 3600));
  const auto again = get(server_.url("/changed-but-truncated"));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(text(*again), content);
  EXPECT_EQ(again->fetched, then);
  ASSERT_EQ(log_.warnings.size(), 1U);
  EXPECT_NE(log_.warnings[0].find("using the copy of 2d02h ago"), std::string::npos) << log_.warnings[0];
  EXPECT_EQ(leftovers(), 0U);
}

TEST_F(Obtain, ServerThatIsGone) {
  ASSERT_TRUE(get(server_.url("/feed")).has_value());
  const std::string other = server_.url("/other");
  const std::string known = server_.url("/feed");
  server_.stop();
  later(Seconds(25 * 3600));
  const auto copy = get(known);
  ASSERT_TRUE(copy.has_value()) << copy.error().message;
  EXPECT_EQ(log_.warnings.size(), 1U);
  const auto none = get(other);
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, Errc::failed);
}

TEST_F(Obtain, ErrorPageIsNoFeed) {
  const auto got = get(server_.url("/missing"));
  ASSERT_FALSE(got.has_value());
  EXPECT_NE(got.error().message.find("404"), std::string::npos) << got.error().message;
}

TEST_F(Obtain, RedirectToHttpIsRefused) {
  const auto got = get(server_.url("/redirect-to-http"));
  ASSERT_FALSE(got.has_value());
  EXPECT_NE(got.error().message.find("redirect"), std::string::npos) << got.error().message;
  EXPECT_EQ(server_.requests().size(), 1U);
}

TEST_F(Obtain, AnnouncedSizeAboveTheLimitIsRefusedAtOnce) {
  const auto got = get(server_.url("/huge"));
  ASSERT_FALSE(got.has_value());
  EXPECT_NE(got.error().message.find("larger than"), std::string::npos) << got.error().message;
}

TEST_F(Obtain, UnchangedWithoutACopyIsAnError) {
  const auto got = get(server_.url("/always-unchanged"));
  ASSERT_FALSE(got.has_value());
  EXPECT_TRUE(holds_no_copy());
}

TEST_F(Obtain, PinnedDigestIsChecked) {
  const auto good = get(server_.url("/feed#sha256=" + sha256(content).hex()));
  ASSERT_TRUE(good.has_value()) << good.error().message;
  const auto wrong = get(server_.url("/feed#sha256=" + sha256("another").hex()));
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code, Errc::untrusted);
  // The good copy is still there, and its age does not matter.
  later(Seconds(1000 * 3600));
  const auto requests = server_.requests().size();
  const auto again = get(server_.url("/feed#sha256=" + sha256(content).hex()));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(text(*again), content);
  EXPECT_EQ(server_.requests().size(), requests);
}

TEST_F(Obtain, ChangedCopyDoesNotPassForThePinnedOne) {
  const std::string location = server_.url("/feed#sha256=" + sha256(content).hex());
  const auto first = get(location);
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(write_file_atomic(first->file, "forged").has_value());
  options_.offline = true;
  ASSERT_FALSE(get(location).has_value());
  options_.offline = false;
  const auto again = get(location);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(text(*again), content);
}

TEST_F(Obtain, PinnedCopyIsNotReplacedByAFetchOfTheSameUrlWithoutThePin) {
  const auto pinned = get(server_.url("/feed#sha256=" + sha256(content).hex()));
  ASSERT_TRUE(pinned.has_value()) << pinned.error().message;
  const auto following = get(server_.url("/feed"));
  ASSERT_TRUE(following.has_value()) << following.error().message;
  EXPECT_NE(pinned->file, following->file);
  ASSERT_TRUE(write_file_atomic(following->file, "what the server has now").has_value());
  EXPECT_EQ(text(*pinned), content);
}

TEST_F(Obtain, ContentWithoutWhatWasNotedOfItIsNoCopy) {
  const auto first = get(server_.url("/feed"));
  ASSERT_TRUE(first.has_value()) << first.error().message;
  fs::remove(fs::path(first->file).replace_extension(".json"));
  options_.offline = true;
  EXPECT_FALSE(get(server_.url("/feed")).has_value());
  options_.offline = false;
  const auto again = get(server_.url("/feed"));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(text(*again), content);
}

TEST_F(Obtain, TwoAtOnceFetchOnceAndHaveTheSame) {
  const auto first = std::async(std::launch::async, [&] { return get(server_.url("/halting")); });
  while (server_.requests().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  auto second = std::async(std::launch::async, [&] { return get(server_.url("/halting")); });
  EXPECT_EQ(second.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout);
  std::ofstream(scratch_ / "requests.go") << "go";
  const auto got = second.get();
  ASSERT_TRUE(got.has_value()) << got.error().message;
  first.wait();
  EXPECT_EQ(server_.requests().size(), 1U);
}

TEST_F(Obtain, OfflineUsesOnlyTheCache) {
  options_.offline = true;
  const auto none = get(server_.url("/feed"));
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, Errc::not_found);
  options_.offline = false;
  ASSERT_TRUE(get(server_.url("/feed")).has_value());
  options_.offline = true;
  later(Seconds(1000 * 3600));
  ASSERT_TRUE(get(server_.url("/feed")).has_value());
  EXPECT_EQ(server_.requests().size(), 1U);
}

TEST_F(Obtain, HostIsFoundByItsName) {
  const auto got = get(server_.named_url("localhost", "/feed"));
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(text(*got), content);
}

TEST_F(Obtain, HttpsWithACertificateThatIsTrusted) {
  const fs::path identity = open_folder("tls") / "identity.pem";
  test::make_identity(identity, "localhost", "DNS:localhost");
  const Server server(scratch_ / "tls-requests", identity);
  const auto unknown = get(server.named_url("localhost", "/feed"));
  ASSERT_FALSE(unknown.has_value());
  EXPECT_NE(unknown.error().message.find("certificate"), std::string::npos) << unknown.error().message;
  EXPECT_TRUE(server.requests().empty());
  const test::TrustedAuthority trusted(identity);
  const auto got = get(server.named_url("localhost", "/feed"));
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(text(*got), content);
}

TEST_F(Obtain, HttpToOtherMachinesNeedsADigest) {
  for (const std::string url : {"http://192.0.2.1/feed", "http://127.0.0.1.example.org/feed", "http://localhost.example.org/x"}) {
    const auto got = get(url);
    ASSERT_FALSE(got.has_value()) << url;
    EXPECT_EQ(got.error().code, Errc::usage) << got.error().message;
  }
}

TEST_F(Obtain, LocationsThatAreNone) {
  for (const std::string text : {"", "osv=", "ftp://example.org/x", "file:///etc/passwd", "https://user:secret@example.org/x",
                                 "https://example.org/x#sha256=12", "https://example.org/x#part"}) {
    const auto got = get(text);
    ASSERT_FALSE(got.has_value()) << text;
    EXPECT_EQ(got.error().code, Errc::usage) << text << ": " << got.error().message;
    EXPECT_EQ(got.error().message.find("secret"), std::string::npos);
  }
}

TEST_F(Obtain, LocalPathsAreTakenAsTheyAre) {
  const fs::path file = scratch_ / "a=b.json";
  ASSERT_TRUE(write_file_atomic(file, content).has_value());
  const auto plain = get(file.string());
  ASSERT_TRUE(plain.has_value()) << plain.error().message;
  EXPECT_EQ(plain->file, file);
  EXPECT_EQ(plain->kind, FeedKind::automatic);
  const auto kind = get("csaf=" + scratch_.path().string());
  ASSERT_TRUE(kind.has_value()) << kind.error().message;
  EXPECT_EQ(kind->kind, FeedKind::csaf);
  const auto missing = get((scratch_ / "missing").string());
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Errc::not_found);
}

}  // namespace
}  // namespace vmpatch::advisory
