#include "inventory/left/stop_log.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/core/scratch.hpp"
#include "vmpatch/core/file.hpp"

namespace vmpatch::inventory {
namespace {

const std::string started = "2026-11-30 13:28:30.100+0000: starting up libvirt version: 9.0.0, qemu version: 7.2, hostname: h\n-uuid 1 \\\n";
const std::string saved = "2026-11-30 13:28:32.382+0000: shutting down, reason=saved\n"
                          "2026-11-30T13:28:32.382957Z qemu-system-x86_64: terminating on signal 15 from pid 25073 (libvirtd)\n";
const std::string failed = "2026-11-30 13:29:01.000+0000: shutting down, reason=failed\n";
const std::string destroyed = "2026-11-30 13:29:02.472+0000: shutting down, reason=destroyed\n";

Time at(const std::string& text, int milliseconds) { return *parse_time(text) + std::chrono::milliseconds(milliseconds); }

TEST(StopLog, saved_memory_has_its_time) {
  const auto stop = find_last_stop(started + saved);
  ASSERT_TRUE(stop && stop->saved);
  EXPECT_EQ(stop->when, at("2026-11-30T13:28:32Z", 382));
}

TEST(StopLog, any_other_end_and_any_start_after_it_used_the_memory) {
  for (const char* reason : {"destroyed", "shutdown", "crashed", "migrated", "from snapshot", "daemon", "unknown", "savedx"}) {
    const auto stop = find_last_stop(saved + "2026-11-30 13:29:02.472+0000: shutting down, reason=" + reason + "\n");
    ASSERT_TRUE(stop) << reason;
    EXPECT_FALSE(stop->saved) << reason;
  }
  const auto running = find_last_stop(saved + started);
  ASSERT_TRUE(running);
  EXPECT_FALSE(running->saved) << "its host lost power, so that no end was written";
}

TEST(StopLog, starts_that_failed_are_passed_over) {
  EXPECT_TRUE(find_last_stop(started + saved + failed)->saved) << "denied before QEMU was started";
  EXPECT_TRUE(find_last_stop(started + saved + started + failed + failed + started + failed)->saved);
  EXPECT_FALSE(find_last_stop(started + saved + started + destroyed + started + failed)->saved);
}

TEST(StopLog, only_lines_of_libvirts_own_form_count) {
  for (const std::string line : {"shutting down, reason=destroyed", "x2026-11-30 13:29:02.472+0000: shutting down, reason=destroyed",
                                 "2026-11-30T13:29:02.472000Z qemu: shutting down, reason=destroyed",
                                 "2026-11-30 13:29:02.4x2+0000: shutting down, reason=destroyed",
                                 "2026-13-30 13:29:02.472+0000: shutting down, reason=destroyed",
                                 "2026-11-30 13:29:02.472+0000: Domain id=1 is tainted: shutting down, reason=destroyed"}) {
    EXPECT_TRUE(find_last_stop(saved + line + "\n")->saved) << line;
  }
  for (const std::string& log : {std::string(), std::string("\n\n"), failed, std::string("nothing\0of it", 13)}) EXPECT_FALSE(find_last_stop(log)) << log;
}

class LoadStopLog : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& log) { ASSERT_TRUE(write_file_atomic(folder_ / name, log)); }
  bool is_saved(const std::string& name) {
    const auto stop = load_last_stop(folder_.path(), name);
    return stop && stop->saved;
  }
  test::Scratch folder_;
};

TEST_F(LoadStopLog, finds_the_line_behind_much_that_was_printed_before_and_after) {
  write("web.log", std::string(300'000, 'x') + "\n" + saved + std::string(200'000, 'y') + "\n");
  EXPECT_TRUE(is_saved("web"));
}

TEST_F(LoadStopLog, goes_on_in_the_log_that_was_rotated) {
  write("a.log", "");
  write("a.log.0", destroyed + started + saved);
  EXPECT_TRUE(is_saved("a"));
  write("b.log", failed);
  write("b.log.1", started + saved + started);
  EXPECT_TRUE(is_saved("b")) << "the start and its failure are in two files";
  write("c.log", started + destroyed);
  write("c.log.0", saved);
  EXPECT_FALSE(is_saved("c"));
}

TEST_F(LoadStopLog, a_line_that_is_cut_at_the_beginning_of_the_tail_is_no_line) {
  std::string line = destroyed;
  line.pop_back();
  // The tail of 16 KiB begins just where this text looks like a line of its own.
  write("web.log", saved + "x" + line + std::string((16U << 10U) - line.size(), 'z'));
  EXPECT_TRUE(is_saved("web"));
}

TEST_F(LoadStopLog, names_links_and_files_that_are_none_tell_nothing_and_do_not_hang) {
  write("web.log", saved);
  fs::create_directory(folder_ / "sub");
  write("sub/x.log", saved);
  fs::create_symlink(folder_ / "web.log", folder_ / "link.log");
  ASSERT_EQ(::mkfifo((folder_ / "fifo.log").c_str(), 0600), 0);
  fs::create_directory(folder_ / "folder.log");
  for (const std::string& name : {std::string(), std::string("sub/x"), std::string("../") + folder_.path().filename().string() + "/web",
                                 std::string("web\0", 4), std::string("link"), std::string("fifo"), std::string("folder"),
                                 std::string("none"), std::string(5000, 'n')}) {
    EXPECT_FALSE(load_last_stop(folder_.path(), name)) << name;
  }
}

}  // namespace
}  // namespace vmpatch::inventory
