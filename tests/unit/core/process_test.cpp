#include "vmpatch/core/process.hpp"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "unit/core/scratch.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch {
namespace {

using test::Scratch;
using test::TestPipe;
using testing::HasSubstr;
using testing::Not;

Command shell(std::string script) {
  Command command;
  command.argv = {"sh", "-c", std::move(script)};
  return command;
}

std::string output_of(const Command& command) {
  const auto result = run(command);
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message);
  return result ? result->out : std::string();
}

UniqueFd memory_file(std::string_view content) {
  UniqueFd fd(::memfd_create("test", MFD_CLOEXEC));
  EXPECT_TRUE(write_all(fd.get(), content).has_value());
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

/// proc(5): the sixth field of stat is the session, the seventh the terminal.
TEST(Run, a_program_has_a_session_of_its_own_and_so_no_terminal) {
  EXPECT_EQ(output_of(shell("[ $(cut -d' ' -f6 /proc/$$/stat) = $$ ] && cut -d' ' -f7 /proc/$$/stat")), "0\n");
}

TEST(Run, collects_both_streams_and_the_exit_code) {
  const auto result = run(shell("echo out; echo err >&2; exit 3"));
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->exit_code, 3);
  EXPECT_EQ(result->out, "out\n");
  EXPECT_EQ(result->err, "err\n");
  EXPECT_FALSE(result->truncated);
}

TEST(Run, death_by_signal_is_128_plus_its_number) { EXPECT_EQ(run(shell("kill -9 $$")).value().exit_code, 137); }

TEST(Run, input_larger_than_a_pipe_arrives_whole) {
  Command command = shell("cat");
  command.input = std::string(500'000, 'x') + "end";
  EXPECT_TRUE(output_of(command) == command.input);
}

TEST(Run, input_that_nobody_reads_does_no_harm) {
  Command command = shell("exit 0");
  command.input = std::string(500'000, 'x');
  EXPECT_EQ(run(command).value().exit_code, 0);
}

TEST(Run, without_input_there_is_dev_null) { EXPECT_EQ(output_of(shell("readlink /proc/self/fd/0")), "/dev/null\n"); }

TEST(Run, output_over_the_limit_is_cut_and_noted) {
  Command command = shell("head -c 300000 /dev/zero; echo small >&2");
  command.max_output = 1000;
  const auto result = run(command);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->out.size(), 1000U);
  EXPECT_EQ(result->err, "small\n");
  EXPECT_TRUE(result->truncated);
  EXPECT_EQ(result->exit_code, 0);
}

TEST(Run, output_of_exactly_the_limit_is_not_cut) {
  Command command = shell("head -c 1000 /dev/zero");
  command.max_output = 1000;
  const auto result = run(command).value();
  EXPECT_EQ(result.out.size(), 1000U);
  EXPECT_FALSE(result.truncated);
}

TEST(Run, a_program_that_does_not_exist_is_not_found_by_name) {
  Command command;
  command.argv = {"vm-patch-no-such-program"};
  const auto result = run(command);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::not_found);
  EXPECT_THAT(result.error().message, HasSubstr("vm-patch-no-such-program"));
  command.argv = {"/no/such/program"};
  EXPECT_EQ(run(command).error().code, Errc::not_found);
}

TEST(Run, a_file_that_cannot_be_executed_says_why) {
  const Scratch dir;
  ASSERT_TRUE(create_file(dir / "data", "text", 0644).has_value());
  Command command;
  command.argv = {(dir / "data").string()};
  const auto result = run(command);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::failed);
  EXPECT_EQ(result.error().message,
            fmt::format("cannot run {}: cannot execute it: Permission denied", (dir / "data").string()));
}

/// A copy of /usr/bin/id in a folder (mode 0700, like a home) that only root may walk to.
fs::path closed_copy(const Scratch& dir, mode_t mode) {
  const auto copy = dir / "id";
  EXPECT_TRUE(fs::copy_file("/usr/bin/id", copy));
  EXPECT_EQ(::chmod(copy.c_str(), mode), 0);
  EXPECT_EQ(::chmod(dir.path().c_str(), 0700), 0);
  return copy;
}

TEST(RunAs, a_program_below_a_closed_folder_runs_as_an_account_that_has_no_way_there) {
  if (::geteuid() != 0) return;  // an ordinary user runs programs as itself
  const Scratch dir;
  const auto worker = worker_credentials();
  ASSERT_TRUE(worker.has_value());
  Command command;
  command.argv = {closed_copy(dir, 0755).string(), "-u"};
  command.run_as = worker;
  command.cwd = "/";
  EXPECT_EQ(output_of(command), fmt::format("{}\n", worker->uid));
  const auto filter = deny_escape();
  ASSERT_TRUE(filter.has_value());
  command.filter = &*filter;
  EXPECT_EQ(output_of(command), fmt::format("{}\n", worker->uid));
}

TEST(RunAs, a_program_that_was_built_for_root_alone_runs_as_another_account) {
  if (::geteuid() != 0) return;
  const Scratch dir;
  Command command;
  command.argv = {closed_copy(dir, 0700).string(), "-u"};
  command.run_as = worker_credentials();
  command.cwd = "/";
  EXPECT_EQ(output_of(command), fmt::format("{}\n", command.run_as->uid));
}

TEST(RunAs, a_program_reached_by_its_descriptor_holds_no_descriptor_of_it) {
  if (::geteuid() != 0) return;
  const Scratch dir;
  ASSERT_TRUE(fs::copy_file("/usr/bin/ls", dir / "ls"));
  ASSERT_EQ(::chmod(dir.path().c_str(), 0700), 0);
  Command command;
  command.argv = {(dir / "ls").string(), "/proc/self/fd"};
  command.run_as = worker_credentials();
  command.cwd = "/";
  EXPECT_EQ(output_of(command), "0\n1\n2\n3\n");  // 3 is the folder that it lists
}

TEST(Run, an_empty_command_is_an_error) {
  EXPECT_FALSE(run(Command{}));
  Command command;
  command.argv = {""};
  EXPECT_FALSE(run(command));
}

TEST(Run, the_environment_is_replaced_and_added_to) {
  Command command;
  command.argv = {"env"};
  command.env = std::map<std::string, std::string>{{"A", "1"}, {"B", "2"}};
  command.extra_env = {{"B", "3"}, {"C", "4"}};
  EXPECT_EQ(output_of(command), "A=1\nB=3\nC=4\n");
}

TEST(Run, without_env_ours_is_inherited) {
  ASSERT_EQ(::setenv("VMPATCH_TEST_INHERITED", "yes", 1), 0);
  EXPECT_EQ(output_of(shell("echo $VMPATCH_TEST_INHERITED")), "yes\n");
  ::unsetenv("VMPATCH_TEST_INHERITED");
}

TEST(Run, cwd_is_entered_and_a_missing_one_is_named_as_the_reason) {
  const Scratch dir;
  Command command = shell("pwd");
  command.cwd = dir.path();
  EXPECT_EQ(output_of(command), dir.path().string() + "\n");
  command.cwd = dir / "missing";
  EXPECT_THAT(run(command).error().message, HasSubstr("cannot enter the working folder"));
}

TEST(Run, limits_are_set) {
  Command command = shell("ulimit -n; ulimit -H -n");
  command.limits = {{RLIMIT_NOFILE, 77}};
  EXPECT_EQ(output_of(command), "77\n77\n");
}

TEST(Run, no_new_privileges_is_set_unless_asked_otherwise) {
  Command command = shell("grep NoNewPrivs: /proc/self/status");
  EXPECT_EQ(output_of(command), "NoNewPrivs:\t1\n");
  command.no_new_privileges = false;
  EXPECT_EQ(output_of(command), "NoNewPrivs:\t0\n");
}

TEST(Run, signals_are_as_in_a_fresh_process) {
  sigset_t some;
  sigset_t before;
  ::sigemptyset(&some);
  ::sigaddset(&some, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &some, &before);
  const auto handler = ::signal(SIGPIPE, SIG_IGN);
  const std::string status = output_of(shell("grep -E '^Sig(Blk|Ign):' /proc/self/status"));
  ::signal(SIGPIPE, handler);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(status, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(Run, our_own_signal_mask_is_kept) {
  sigset_t before;
  sigset_t after;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  ASSERT_TRUE(run(shell("true")).has_value());
  ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int number = 1; number < NSIG; ++number)
    EXPECT_EQ(::sigismember(&before, number), ::sigismember(&after, number));
}

TEST(RunDescriptors, only_the_standard_ones_are_passed) {
  const UniqueFd leaky(::dup(0));  // without close-on-exec
  const UniqueFd high(::fcntl(0, F_DUPFD, 500));
  ASSERT_TRUE(leaky && high);
  EXPECT_EQ(output_of(shell("ls /proc/$$/fd")), "0\n1\n2\n");
}

TEST(RunDescriptors, the_wanted_ones_are_passed_and_gaps_are_closed) {
  const UniqueFd leaky(::fcntl(0, F_DUPFD, 4));
  const UniqueFd a = memory_file("A");
  Command command = shell("ls /proc/$$/fd; cat <&9");
  command.descriptors = {{a.get(), 9}};
  EXPECT_EQ(output_of(command), "0\n1\n2\n9\nA");
}

TEST(RunDescriptors, numbers_that_overlap_are_swapped) {
  const UniqueFd a = memory_file("A");
  const UniqueFd b = memory_file("B");
  const UniqueFd five(::fcntl(a.get(), F_DUPFD_CLOEXEC, 5));
  const UniqueFd six(::fcntl(b.get(), F_DUPFD_CLOEXEC, 5));
  Command command = shell(fmt::format("cat /dev/fd/{} /dev/fd/{}", five.get(), six.get()));
  command.descriptors = {{five.get(), six.get()}, {six.get(), five.get()}};
  EXPECT_EQ(output_of(command), "BA");
}

TEST(RunDescriptors, a_descriptor_may_take_the_place_of_a_stream) {
  const UniqueFd file(::memfd_create("out", MFD_CLOEXEC));
  Command command = shell("echo hello; echo err >&2");
  command.descriptors = {{file.get(), 1}};
  const auto result = run(command).value();
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(read_fd(file.get(), 100, "out").value(), "hello\n");
}

TEST(RunDescriptors, wrong_numbers_are_errors) {
  for (const auto& wrong :
       std::vector<std::vector<std::pair<int, int>>>{{{-1, 5}}, {{0, -1}}, {{0, 5}, {1, 5}}, {{999, 5}}}) {
    Command command = shell("true");
    command.descriptors = wrong;
    EXPECT_FALSE(run(command));
  }
}

/// Puts this process (root) into one more group for a while.
class SupplementaryGroup {
 public:
  explicit SupplementaryGroup(gid_t group) : before_(static_cast<std::size_t>(::getgroups(0, nullptr))) {
    EXPECT_EQ(::getgroups(static_cast<int>(before_.size()), before_.data()), static_cast<int>(before_.size()));
    EXPECT_EQ(::setgroups(1, &group), 0);
  }
  SupplementaryGroup(const SupplementaryGroup&) = delete;
  SupplementaryGroup& operator=(const SupplementaryGroup&) = delete;
  ~SupplementaryGroup() { EXPECT_EQ(::setgroups(before_.size(), before_.data()), 0); }

 private:
  std::vector<gid_t> before_;
};

TEST(RunAs, root_becomes_exactly_the_worker_and_others_stay_themselves) {
  const auto worker = worker_credentials();
  Command command = shell("id -u; id -g; id -G; grep CapEff: /proc/self/status");
  if (::geteuid() == 0) {
    ASSERT_TRUE(worker.has_value());
    EXPECT_NE(worker->uid, 0U);
    command.run_as = worker;
    const SupplementaryGroup extra(4711);  // must not reach the child
    EXPECT_EQ(output_of(command),
              fmt::format("{}\n{}\n{}\nCapEff:\t0000000000000000\n", worker->uid, worker->gid, worker->gid));
    EXPECT_EQ(::geteuid(), 0U);
  } else {
    EXPECT_FALSE(worker.has_value());
    command.run_as = Credentials{::geteuid() + 1, ::getegid()};
    EXPECT_THAT(run(command).error().message, HasSubstr("cannot change to the unprivileged user"));
  }
}

TEST(RunAs, the_callers_own_ids_are_always_allowed) {
  Command command = shell("id -u");
  command.run_as = Credentials{::geteuid(), ::getegid()};
  EXPECT_EQ(output_of(command), fmt::format("{}\n", ::geteuid()));
}

TEST(RunTimeout, kills_the_whole_group) {
  TestPipe life;
  Command command = shell("echo last words >&2; sleep 1000 & sleep 1000");
  command.descriptors = {{life.writer.get(), 7}};
  command.timeout = std::chrono::milliseconds(700);
  const auto result = run(command);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::timeout);
  EXPECT_EQ(result.error().message, "sh did not end within 0.7 s and was killed: last words");
  EXPECT_TRUE(test::all_holders_die(life));
}

TEST(RunTimeout, stops_a_child_that_writes_without_end) {
  Command command = shell("exec cat /dev/zero");
  command.timeout = std::chrono::milliseconds(200);
  EXPECT_EQ(run(command).error().code, Errc::timeout);
}

TEST(RunTimeout, the_largest_value_means_no_limit) {
  Command command = shell("echo done");
  command.timeout = std::chrono::milliseconds::max();
  EXPECT_EQ(output_of(command), "done\n");
}

TEST(Run, what_a_finished_command_leaves_in_its_group_is_killed) {
  TestPipe life;
  Command command = shell("sleep 1000 & echo done");
  command.descriptors = {{life.writer.get(), 7}};
  EXPECT_EQ(output_of(command), "done\n");
  EXPECT_TRUE(test::all_holders_die(life));
}

TEST(Run, a_daemon_that_keeps_the_streams_open_does_not_hold_us_up) {
  TestPipe started;
  TestPipe stop;
  Command command = shell("setsid sh -c 'echo x >&8; read y <&9' & read z <&7; echo done");
  command.descriptors = {{started.reader.get(), 7}, {started.writer.get(), 8}, {stop.reader.get(), 9}};
  EXPECT_EQ(output_of(command), "done\n");
  stop.writer.reset();  // lets the daemon end
}

TEST(RunChecked, success_gives_the_output) { EXPECT_EQ(run_checked(shell("echo fine")).value().out, "fine\n"); }

TEST(RunChecked, failure_quotes_the_last_line_of_stderr_escaped) {
  const auto result = run_checked(shell(R"(printf 'first\nlast \033[31m line\n\n' >&2; exit 2)"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::failed);
  EXPECT_EQ(result.error().message, "sh ended with exit code 2: last \\x1B[31m line");
}

TEST(RunChecked, a_signal_is_named) {
  EXPECT_EQ(run_checked(shell("kill -15 $$")).error().message, "sh was killed by signal 15");
}

}  // namespace
}  // namespace vmpatch
