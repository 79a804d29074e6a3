// obtain() with the real vm-patch-fetch against a server on loopback.
#include "vmpatch/advisory/obtain.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "unit/core/scratch.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/programs.hpp"

namespace vmpatch::advisory {
namespace {

const std::string content = "{\"vulnerabilities\":[]}\n";

class CollectingLog final : public Log {
 public:
  void write(Level level, std::string_view line) override {
    if (level == Level::warning) warnings.emplace_back(line);
  }
  std::vector<std::string> warnings;
};

class Server {
 public:
  explicit Server(const fs::path& log) : log_(log) {
    std::array<int, 2> in{}, out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    const UniqueFd child_in(in[0]), child_out(out[1]), reader(out[0]);
    alive_.reset(in[1]);
    Command command;
    command.argv = {"python3", std::string(VMPATCH_SOURCE_DIR) + "/tests/integration/advisory/feed_server.py", log.string()};
    command.descriptors = {{child_in.get(), 0}, {child_out.get(), 1}};
    auto child = Child::start(command, STDERR_FILENO);
    if (!child) throw std::runtime_error(child.error().message);
    child_ = std::move(*child);
    char c = 0;
    while (::read(reader.get(), &c, 1) == 1 && c != '\n') port_ += c;
  }
  [[nodiscard]] std::string url(const std::string& path) const { return "http://127.0.0.1:" + port_ + path; }
  [[nodiscard]] std::vector<std::string> requests() const {
    std::vector<std::string> lines;
    std::ifstream in(log_);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
  void stop() {
    child_.kill();
    ASSERT_TRUE(child_.wait(std::chrono::milliseconds(5000)).has_value());
  }

 private:
  fs::path log_;
  UniqueFd alive_;
  Child child_;
  std::string port_;
};

class Obtain : public testing::Test {
 protected:
  Obtain() : server_(scratch_ / "requests") {
    set_internal_program_dir(fs::path(VMPATCH_BINARY_DIR) / "bin");
    ::unsetenv("http_proxy");
    ::unsetenv("all_proxy");
    options_.cache_dir = scratch_ / "feeds";
  }
  Result<FeedFile> get(const std::string& location) { return obtain(location, options_, clock_, log_); }
  void later(Seconds time) { clock_.set(clock_.now() + time); }
  static std::string text(const FeedFile& file) { return read_file(file.file).value_or("?"); }
  /// Of the cache: everything but whole copies.
  [[nodiscard]] std::size_t leftovers() const {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(options_.cache_dir)) {
      const auto extension = entry.path().extension();
      count += extension != ".data" && extension != ".json" ? 1U : 0U;
    }
    return count;
  }

  test::Scratch scratch_;
  Server server_;
  ObtainOptions options_;
  FixedClock clock_{*parse_time("2026-11-20T10:00:00Z")};
  CollectingLog log_;
};

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
  EXPECT_TRUE(fs::is_empty(options_.cache_dir));
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
  EXPECT_TRUE(fs::is_empty(options_.cache_dir));
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
