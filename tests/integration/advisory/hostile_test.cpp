// obtain() against servers that want to be seen on the terminal, and against a vm-patch-fetch that somebody took over.
#include <sys/stat.h>

#include <chrono>
#include <thread>

#include "integration/advisory/obtain_fixture.hpp"
#include "support/tls_identity.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

bool appears(const fs::path& path) {
  for (int i = 0; i < 500 && !fs::exists(path); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  return fs::exists(path);
}

/// The child of this process that is called `name`; 0 = none.
pid_t child_called(const std::string& name) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string status = read_file(entry.path() / "status").value_or("");
    if (status.starts_with("Name:\t" + name + "\n") && status.find("\nPPid:\t" + std::to_string(::getpid()) + "\n") != std::string::npos) {
      return std::stoi(entry.path().filename());
    }
  }
  return 0;
}

TEST_F(Obtain, HostileAnswersAreErrorsOfOneSafeLine) {
  for (const std::string name : {"location-escape", "location-newline", "location-c1", "location-bidi", "location-percent", "location-port",
                                 "location-scheme", "status", "length", "version", "nul", "garbage", "chunk"}) {
    const auto got = get(server_.url("/hostile/" + name));
    ASSERT_FALSE(got.has_value()) << name;
    EXPECT_EQ(got.error().code, Errc::failed) << name;
    EXPECT_EQ(ensure_escaped(got.error().message), got.error().message) << name;
    EXPECT_EQ(got.error().message.find("usage forged"), std::string::npos) << got.error().message;
    EXPECT_EQ(server_.requests().back(), "/hostile/" + name + " - -");
  }
}

TEST_F(Obtain, NameInACertificateIsShownEscaped) {
  const fs::path identity = open_folder("tls") / "identity.pem";
  test::make_identity(identity, "evil\x1b[2J\nerror usage forged \u202E", "");
  const test::TrustedAuthority trusted(identity);
  const Server server(scratch_ / "tls-requests", identity);
  const auto got = get(server.named_url("localhost", "/feed"));
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Errc::failed);
  EXPECT_NE(got.error().message.find("evil\\x1B[2J\\nerror usage forged \\u{202E}"), std::string::npos) << got.error().message;
  EXPECT_EQ(ensure_escaped(got.error().message), got.error().message);
}

TEST_F(Obtain, HostileStampsAreKeptAsTextAndAddNoHeader) {
  for (const std::string path : {"/stamps/escape", "/stamps/return"}) {
    ASSERT_TRUE(get(server_.url(path)).has_value());
    later(Seconds(25 * 3600));
    const auto again = get(server_.url(path));
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(text(*again), content);
    for (const std::string& request : server_.requests()) EXPECT_EQ(request.find("injected"), std::string::npos) << request;
  }
  EXPECT_EQ(server_.requests().at(1), "/stamps/escape \"\x1b[31m\" -");
  EXPECT_EQ(server_.requests().back(), "/stamps/return - -");
  for (const auto& entry : fs::directory_iterator(options_.cache_dir)) {
    if (entry.path().extension() != ".json") continue;
    for (const std::string_view line : split(read_file(entry.path()).value_or("\n\x1b"), '\n')) EXPECT_EQ(line.find_first_of("\r\x1b"), line.npos);
  }
}

TEST_F(Obtain, FetcherIsConfinedWhileItTalks) {
  std::string status;
  {
    std::jthread downloading([&] { EXPECT_TRUE(get(server_.url("/halting")).has_value()); });
    // The server has been asked: what comes from it is read from now on.
    EXPECT_TRUE(appears(scratch_ / "requests"));
    status = read_file("/proc/" + std::to_string(child_called("vm-patch-fetch")) + "/status").value_or("none");
    std::ofstream(scratch_ / "requests.go") << "go";
  }
#ifndef __SANITIZE_ADDRESS__
  EXPECT_NE(status.find("\nSeccomp:\t2\n"), std::string::npos) << status;
#endif
  EXPECT_NE(status.find("\nNoNewPrivs:\t1\n"), std::string::npos) << status;
  EXPECT_EQ(status.find("\nUid:\t0\t"), std::string::npos) << status;
}

/// Something else in place of vm-patch-fetch.
class TakenOver : public Obtain {
 protected:
  void replace_fetcher(const std::string& script) {
    const fs::path folder = open_folder("programs");
    ASSERT_TRUE(write_file_atomic(folder / "vm-patch-fetch", "#!/bin/sh\nroom=" + room_.string() + "\n" + script, 0755).has_value());
    set_internal_program_dir(folder);
  }
  static std::string say_result(const std::string& unchanged, const std::string& size) {
    return R"(echo 'result {"unchanged":)" + unchanged + R"(,"etag":"","last_modified":"","offset":0,"size":)" + size + "}'\n";
  }
  const std::string say_content = "echo data 0 23; printf '{\"vulnerabilities\":[]}\\n'\n";
  fs::path room_ = open_folder("room", true);
};

TEST_F(TakenOver, WhatItSaysIsEscaped) {
  for (const std::string kind : {"error failed ", "error usage ", ""}) {
    replace_fetcher("printf '" + kind + "one\\033[2Jtwo \\304\\\\\\233[31m\\n'\n");
    const auto got = get(server_.url("/feed"));
    ASSERT_FALSE(got.has_value());
    EXPECT_NE(got.error().message.find("one\\x1B[2Jtwo \\xC4\\\\\\x9B[31m"), std::string::npos) << got.error().message;
    EXPECT_EQ(ensure_escaped(got.error().message), got.error().message);
  }
  EXPECT_TRUE(holds_no_copy());
}

TEST_F(TakenOver, SizeThatDiffersFromWhatCameIsRefused) {
  for (const std::string size : {"0", "22", "24", "18446744073709551615"}) {
    replace_fetcher(say_content + say_result("false", size));
    ASSERT_FALSE(get(server_.url("/feed")).has_value()) << size;
  }
  replace_fetcher(say_content + say_result("true", "0"));
  ASSERT_FALSE(get(server_.url("/feed")).has_value());
  replace_fetcher("echo data 0 24; printf '{\"vulnerabilities\":[]}\\n'; " + say_result("false", "24"));
  ASSERT_FALSE(get(server_.url("/feed")).has_value());
  EXPECT_TRUE(holds_no_copy());
}

TEST_F(TakenOver, ContentFromElsewhereIsRefused) {
  for (const std::string place : {"1", "18446744073709551615", "-1", "0 0"}) {
    replace_fetcher("echo data " + place + " 23; printf '{\"vulnerabilities\":[]}\\n'\n" + say_result("false", "23"));
    ASSERT_FALSE(get(server_.url("/feed")).has_value()) << place;
  }
  EXPECT_TRUE(holds_no_copy());
}

TEST_F(TakenOver, SocketThatOutlivesItChangesNothing) {
  replace_fetcher(say_content + R"(
room=$room setsid sh -c '
  trap "" PIPE
  mkdir $room/started
  while [ ! -e $room/go ]; do sleep 0.02; done
  if printf forged; then mkdir $room/written; else mkdir $room/refused; fi
  mkdir $room/end' </dev/null 2>/dev/null &
while [ ! -e $room/started ]; do sleep 0.02; done
)" + say_result("false", "23"));
  const auto got = get(server_.url("/feed#sha256=" + sha256(content).hex()));
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(text(*got), content);
  fs::create_directory(room_ / "go");
  ASSERT_TRUE(appears(room_ / "end"));
  EXPECT_TRUE(fs::exists(room_ / "refused"));
  EXPECT_EQ(text(*got), content);
  struct stat info {};
  ASSERT_EQ(::stat(got->file.c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, ::geteuid());
  EXPECT_EQ(info.st_mode & 07777U, 0644U);
}

TEST_F(TakenOver, ItsProcessesMakeNoFileOfTheirOwnLonger) {
  replace_fetcher("trap '' XFSZ\nif echo much > $room/file; then mkdir $room/written; fi\nmkdir $room/end\n");
  ASSERT_FALSE(get(server_.url("/feed")).has_value());
  EXPECT_TRUE(fs::exists(room_ / "end"));
  EXPECT_FALSE(fs::exists(room_ / "written"));
}

}  // namespace
}  // namespace vmpatch::advisory
