// download() with the real vm-patch-fetch against a server on loopback.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <future>

#include "integration/fetch/fetch_fixture.hpp"
#include "vmpatch/fetch/download.hpp"

namespace vmpatch::fetch {
namespace {

class Downloads : public Fetch {
 protected:
  Downloads() { put("large", large_); }
  [[nodiscard]] static Expected of(const std::string& content) { return {sha256(content), content.size()}; }
  [[nodiscard]] fs::path whole(const Expected& expected) const { return store_ / expected.sha256.hex(); }
  [[nodiscard]] fs::path part(const Expected& expected) const { return store_ / (expected.sha256.hex() + ".part"); }
  void put_part(const Expected& expected, const std::string& content) { std::ofstream(part(expected), std::ios::binary) << content; }
  Result<UniqueFd> get(const std::string& path, const Expected& expected) { return download(session_, server_.url(path), {}, expected, store_); }
  /// What was asked for, as values of Range.
  [[nodiscard]] std::vector<std::string> ranges() const {
    std::vector<std::string> all;
    for (const auto& words : server_.asked()) all.push_back(words.at(2));
    return all;
  }
  [[nodiscard]] std::size_t files() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(store_), {})); }
  void expect_whole(const Result<UniqueFd>& got, const std::string& content) {
    ASSERT_TRUE(got.has_value()) << got.error().message;
    EXPECT_EQ(read_fd(got->get(), 64U << 20U, "content").value_or("?"), content);
    EXPECT_EQ(read_file(whole(of(content))).value_or("?"), content);
    EXPECT_EQ(files(), 1U);
  }
  void expect_untrusted(const Result<UniqueFd>& got, const Expected& expected) {
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().code, Errc::untrusted) << got.error().message;
    EXPECT_NE(got.error().message.find(expected.sha256.hex()), std::string::npos) << got.error().message;
    EXPECT_EQ(files(), 0U);
  }

  const std::string large_ = numbers(300'000);
  const Expected expected_ = of(large_);
  fs::path store_ = make_folder("store");
};

TEST_F(Downloads, ContentIsNamedByItsDigestAndFetchedOnce) {
  const auto got = get("/files/large", expected_);
  expect_whole(got, large_);
  EXPECT_EQ(::fcntl(got->get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  struct stat info {};
  ASSERT_EQ(::fstat(got->get(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0644U);
  expect_whole(get("/files/large", expected_), large_);
  EXPECT_EQ(server_.asked().size(), 1U);
}

TEST_F(Downloads, EmptyContentIsContent) {
  put("empty", "");
  expect_whole(get("/files/empty", of("")), "");
}

TEST_F(Downloads, WrongContentUnderTheNameIsFetchedAgain) {
  for (const std::string& wrong : {std::string("wrong"), std::string(large_.size(), 'x')}) {
    std::ofstream(whole(expected_)) << wrong;
    expect_whole(get("/files/large", expected_), large_);
  }
}

TEST_F(Downloads, KilledDownloadIsGoneOnWith) {
  const pid_t client = ::fork();
  if (client == 0) {
    Session session(log_);
    static_cast<void>(download(session, server_.url("/halting/large"), {}, expected_, store_).has_value());
    ::_exit(0);
  }
  std::error_code error;
  while (fs::file_size(part(expected_), error) != 150'000) ::usleep(5'000);
  ::kill(client, SIGKILL);
  ASSERT_EQ(::waitpid(client, nullptr, 0), client);
  struct stat info {};
  ASSERT_EQ(::stat(part(expected_).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  expect_whole(get("/files/large", expected_), large_);
  EXPECT_EQ(ranges(), (std::vector<std::string>{"-", "bytes=150000-"}));
}

TEST_F(Downloads, ConnectionsThatBreakAreMadeAgainAsLongAsSomethingComes) {
  const std::string content = numbers(32);
  put("short", content);
  expect_whole(get("/cut/short", of(content)), content);
  EXPECT_EQ(ranges(), (std::vector<std::string>{"-", "bytes=16-", "bytes=24-", "bytes=28-", "bytes=30-", "bytes=31-"}));
}

TEST_F(Downloads, WhatCameOverConnectionsThatBreakStaysForTheNextTry) {
  const auto got = get("/cut/large", expected_);
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Errc::failed);
  EXPECT_EQ(server_.asked().size(), 6U);
  const auto size = fs::file_size(part(expected_));
  EXPECT_GT(size, 290'000U);
  expect_whole(get("/files/large", expected_), large_);
  EXPECT_EQ(ranges().back(), "bytes=" + std::to_string(size) + "-");
}

TEST_F(Downloads, ServerWithoutRangesIsNotAskedForEver) {
  const auto got = get("/cut_whole/large", expected_);
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(server_.asked().size(), 2U);
}

TEST_F(Downloads, OldPartIsOfUseWhateverTheServerThinksOfRanges) {
  for (const std::string way : {"/files/large", "/whole/large", "/416/large", "/shifted/large", "/unsaid/large"}) {
    put_part(expected_, large_.substr(0, 1000));
    expect_whole(get(way, expected_), large_);
    fs::remove(whole(expected_));
  }
}

TEST_F(Downloads, OldPartThatIsWrongIsFetchedFromTheStartOnce) {
  put_part(expected_, std::string(1000, 'x'));
  expect_whole(get("/files/large", expected_), large_);
  EXPECT_EQ(ranges(), (std::vector<std::string>{"bytes=1000-", "-"}));
}

TEST_F(Downloads, OldPartWithNothingLeftToAskFor) {
  put_part(expected_, large_);
  expect_whole(get("/files/large", expected_), large_);
  EXPECT_TRUE(ranges().empty());
  fs::remove(whole(expected_));
  for (const std::string& wrong : {std::string(large_.size(), 'x'), large_ + "x"}) {
    put_part(expected_, wrong);
    expect_whole(get("/files/large", expected_), large_);
    EXPECT_EQ(ranges().back(), "-");
    fs::remove(whole(expected_));
  }
  EXPECT_EQ(ranges().size(), 2U);
}

TEST_F(Downloads, AnotherContentIsUntrustedAndNothingOfItStays) {
  put("large", std::string(large_.size(), 'x'));
  const auto got = get("/files/large", expected_);
  expect_untrusted(got, expected_);
  EXPECT_NE(got.error().message.find(sha256(std::string(large_.size(), 'x')).hex()), std::string::npos) << got.error().message;
  EXPECT_EQ(ranges(), std::vector<std::string>{"-"});
  put_part(expected_, large_.substr(0, 1000));
  expect_untrusted(get("/files/large", expected_), expected_);
  EXPECT_EQ(ranges(), (std::vector<std::string>{"-", "bytes=1000-", "-"}));
}

TEST_F(Downloads, ContentOfAnotherSizeIsUntrusted) {
  for (const std::string way : {"/longer/large", "/endless/large", "/short_content/large"}) expect_untrusted(get(way, expected_), expected_);
  put("large", "");
  expect_untrusted(get("/files/large", expected_), expected_);
  put_part(expected_, large_.substr(0, 1000));
  expect_untrusted(get("/whole/large", expected_), expected_);
}

TEST_F(Downloads, SecondOneWaitsAndTakesWhatTheFirstFetched) {
  const auto first = std::async(std::launch::async, [&] { return get("/halting/large", expected_); });
  while (server_.asked().empty()) ::usleep(5'000);
  // Lines are written by its own thread alone, and looked at when it has ended.
  RecordingLog second_log;
  auto second = std::async(std::launch::async, [&] {
    Session session(second_log);
    return download(session, server_.url("/files/large"), {}, expected_, store_);
  });
  EXPECT_EQ(second.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  std::ofstream(scratch_ / "requests.go") << "go";
  expect_whole(second.get(), large_);
  first.wait();
  EXPECT_EQ(files(), 1U);
  EXPECT_EQ(server_.asked().size(), 1U);
  ASSERT_EQ(second_log.lines.size(), 1U);
  EXPECT_NE(second_log.lines[0].find("waiting"), std::string::npos) << second_log.lines[0];
}

TEST_F(Downloads, NamesThatAreNoFilesOfOursAreRefused) {
  const fs::path victim = scratch_ / "victim";
  const auto refused = [&](const fs::path& name) {
    const auto got = get("/files/large", expected_);
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().code, Errc::refused) << got.error().message;
    EXPECT_EQ(read_file(victim).value_or("?"), "victim");
    fs::remove(name);
  };
  std::ofstream(victim) << "victim";
  fs::create_symlink(victim, part(expected_));
  refused(part(expected_));
  fs::create_hard_link(victim, part(expected_));
  refused(part(expected_));
  ASSERT_EQ(::mkfifo(part(expected_).c_str(), 0600), 0);
  refused(part(expected_));
  fs::create_symlink(victim, whole(expected_));
  refused(whole(expected_));
  fs::create_directory(whole(expected_));
  refused(whole(expected_));
  EXPECT_TRUE(server_.asked().empty());
  expect_whole(get("/files/large", expected_), large_);
}

TEST_F(Downloads, NothingStaysOfAFileThatTheServerDoesNotHave) {
  const auto got = get("/files/missing?token=secret", expected_);
  ASSERT_FALSE(got.has_value());
  EXPECT_NE(got.error().message.find("/files/missing: the server answered 404"), std::string::npos) << got.error().message;
  EXPECT_EQ(got.error().message.find("secret"), std::string::npos) << got.error().message;
  EXPECT_EQ(files(), 0U);
}

TEST_F(Downloads, ManyShareOneConnection) {
  for (int i = 0; i < 20; ++i) {
    const std::string content = "package " + std::to_string(i);
    put("package", content);
    ASSERT_TRUE(get("/files/package", of(content)).has_value());
  }
  EXPECT_EQ(files(), 20U);
  for (const auto& words : server_.asked()) EXPECT_EQ(words.at(0), "1");
}

TEST_F(Downloads, SlowServerIsGivenUpAndWhatCameStays) {
  put("slow", std::string(1'000'000, 'x'));
  Access access;
  access.limits.slowest = 0;
  access.limits.overall = std::chrono::milliseconds(300);
  const Expected expected{sha256(std::string(10'000, 'x')), 10'000};
  const auto got = download(session_, server_.url("/drip/slow"), access, expected, store_);
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Errc::timeout) << got.error().message;
  EXPECT_EQ(files(), 1U);
}

class LocalFiles : public Downloads {
 protected:
  [[nodiscard]] Result<UniqueFd> get_file(const std::string& url, const Expected& expected) { return download(session_, url, {}, expected, store_); }
};

TEST_F(LocalFiles, ComeWithoutTheProgram) {
  put("a b%c#d", large_);
  const std::string url = "file://" + folder_.string() + "/a%20b%25c%23d";
  expect_whole(get_file(url, expected_), large_);
  fs::remove(whole(expected_));
  put_part(expected_, large_.substr(0, 1000));
  expect_whole(get_file("file:" + folder_.string() + "/large", expected_), large_);
  fs::remove(whole(expected_));
  put_part(expected_, std::string(1000, 'x'));
  expect_whole(get_file("file://localhost" + folder_.string() + "/large", expected_), large_);
  EXPECT_TRUE(running_fetchers().empty());
}

TEST_F(LocalFiles, OfAnotherSizeOrContentAreUntrusted) {
  const std::string url = "file://" + folder_.string() + "/large";
  for (const std::string& wrong : {large_ + "x", large_.substr(1), std::string(large_.size(), 'x'), std::string()}) {
    put("large", wrong);
    expect_untrusted(get_file(url, expected_), expected_);
  }
}

TEST_F(LocalFiles, LinksAndFifosAreRefused) {
  fs::create_symlink(folder_ / "large", folder_ / "link");
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  for (const std::string name : {"link", "fifo", ""}) {
    const auto got = get_file("file://" + folder_.string() + "/" + name, expected_);
    ASSERT_FALSE(got.has_value()) << name;
    EXPECT_EQ(got.error().code, Errc::refused) << got.error().message;
    EXPECT_EQ(files(), 0U);
  }
  const auto missing = get_file("file://" + folder_.string() + "/missing", expected_);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Errc::not_found);
}

}  // namespace
}  // namespace vmpatch::fetch
