#include "vmpatch/core/log.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <thread>
#include <vector>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch {
namespace {

struct RecordingLog final : Log {
  void write(Level level, std::string_view line) override { lines.emplace_back(level, line); }
  std::vector<std::pair<Level, std::string>> lines;
};

TEST(StderrLog, shows_the_level_except_for_info_and_hides_what_is_below) {
  testing::internal::CaptureStderr();
  StderrLog log(Level::info);
  log.debug("hidden {}", 1);
  log.info("plain {}", 2);
  log.warn("careful {}", 3);
  log.error("broken {}", 4);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "vm-patch: plain 2\nvm-patch: warning: careful 3\nvm-patch: error: broken 4\n");
}

TEST(FileLog, writes_every_line_with_time_and_passes_it_on) {
  const UniqueFd fd(::memfd_create("log", MFD_CLOEXEC));
  RecordingLog next;
  FileLog log(fd.get(), next);
  log.debug("one");
  log.warn("two");
  const std::string text = read_fd(fd.get(), 4096, "log").value();
  EXPECT_EQ(next.lines, (std::vector<std::pair<Level, std::string>>{{Level::debug, "one"}, {Level::warning, "two"}}));
  const auto lines = split(trim(text), '\n');
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(matches_pattern("20*-*-*T*:*:*Z debug one", std::string(lines[0]))) << text;
  EXPECT_TRUE(matches_pattern("20*-*-*T*:*:*Z warning two", std::string(lines[1]))) << text;
}

TEST(FileLog, lines_of_several_threads_do_not_mix) {
  const UniqueFd fd(::memfd_create("log", MFD_CLOEXEC));
  NullLog next;
  FileLog log(fd.get(), next);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&log] {
      for (int n = 0; n < 200; ++n) log.info("a line that is complete");
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = read_fd(fd.get(), 1U << 20U, "log").value();
  const auto lines = split(trim(text), '\n');
  EXPECT_EQ(lines.size(), 800U);
  for (const auto line : lines) ASSERT_TRUE(line.ends_with("Z info a line that is complete")) << line;
}

}  // namespace
}  // namespace vmpatch
