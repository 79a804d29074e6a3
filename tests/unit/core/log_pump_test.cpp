#include "vmpatch/core/log_pump.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "unit/core/scratch.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/foreign_line.hpp"
#include "vmpatch/core/log.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch {
namespace {

struct LogFile {
  test::Scratch dir;
  UniqueFd fd{::open((dir / "log").c_str(), O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600)};
  [[nodiscard]] std::string text() const { return read_fd(fd.get(), 64U << 20U, "log").value(); }
  [[nodiscard]] std::uint64_t size() const { return std::filesystem::file_size(dir / "log"); }
};

Command shell(const std::string& script) {
  Command command;
  command.argv = {"sh", "-c", script};
  return command;
}

/// The log when the program has ended.
std::string logged(const std::string& script) {
  const LogFile log;
  auto child = Child::start_logged(shell(script), log.fd.get(), "x");
  EXPECT_TRUE(child.has_value()) << child.error().message;
  EXPECT_TRUE(child->wait(std::chrono::seconds(60)).has_value());
  *child = Child();
  return log.text();
}

TEST(LogPump, each_line_has_its_name_and_is_escaped) {
  EXPECT_EQ(logged("printf 'one\\n\\033[31mred\\007\\r\\n\\nlast' ; echo err >&2"), "x: one\nx: \\x1B[31mred\\x07\nx: lasterr\n");
}

TEST(LogPump, a_line_without_end_is_cut) {
  const std::string text = logged("head -c 10000 /dev/zero | tr '\\0' a");
  const auto lines = split(trim(text), '\n');
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].size(), 4096U + 3);
}

TEST(LogPump, output_without_end_stops_at_the_limit_and_keeps_nobody_waiting) {
  const LogFile log;
  // More than the log and every pipe hold; it ends only if all of it is taken.
  auto child = Child::start_logged(shell("yes 'a line that is repeated' | head -c 40000000; echo done >&2"), log.fd.get(), "x");
  ASSERT_TRUE(child.has_value());
  EXPECT_EQ(child->wait(std::chrono::seconds(60)).value(), 0);
  *child = Child();
  EXPECT_LE(log.size(), largest_log - (1U << 20U));
  EXPECT_TRUE(log.text().ends_with("\n(this log is full: what follows is left out)\n"));
  // Our own lines still find room, and then no more.
  append_to_log(log.fd.get(), "how it ended\n", LogShare::own);
  EXPECT_TRUE(log.text().ends_with("how it ended\n"));
  const std::string much(3U << 20U, 'y');
  for (int i = 0; i < 3; ++i) append_to_log(log.fd.get(), much, LogShare::own);
  EXPECT_LE(log.size(), largest_log);
  EXPECT_TRUE(log.text().ends_with("\n(this log is full: what follows is left out)\n"));
}

TEST(FileLog, what_a_guest_said_leaves_room_for_our_own_words) {
  const LogFile file;
  NullLog next;
  FileLog log(file.fd.get(), next);
  const std::string much(1U << 20U, 'y');
  for (int i = 0; i < 20; ++i) log.debug("{}{}", foreign_line, much);
  EXPECT_LE(file.size(), largest_log - (1U << 20U));
  log.debug("how it ended");
  EXPECT_TRUE(file.text().ends_with(" debug how it ended\n"));
}

TEST(LogPump, a_process_that_keeps_the_pipe_open_does_not_hold_up_the_end) {
  const LogFile log;
  {
    // Out of the group that is killed.
    auto child = Child::start_logged(shell("echo first; setsid sh -c 'sleep 5' & exit 0"), log.fd.get(), "x");
    ASSERT_TRUE(child.has_value());
    EXPECT_EQ(child->wait(std::chrono::seconds(60)).value(), 0);
    const auto start = std::chrono::steady_clock::now();
    *child = Child();
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(4));
  }
  EXPECT_EQ(log.text(), "x: first\n");
}

}  // namespace
}  // namespace vmpatch
