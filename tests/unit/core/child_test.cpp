#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "unit/core/scratch.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/process.hpp"

namespace vmpatch {
namespace {

using namespace std::chrono_literals;
using test::TestPipe;

constexpr auto long_enough = 20s;  // bounds a failure only

/// Serves for ever and holds the pipe meanwhile.
Command server(const TestPipe& life) {
  Command command;
  command.argv = {"sh", "-c", "sleep 1000 & sleep 1000"};
  command.descriptors = {{life.writer.get(), 7}};
  return command;
}

Command shell(std::string script) {
  Command command;
  command.argv = {"sh", "-c", std::move(script)};
  return command;
}

TEST(Child, wait_gives_the_exit_code_once) {
  Child child = Child::start(shell("exit 5")).value();
  EXPECT_GT(child.pid(), 0);
  EXPECT_EQ(child.wait(long_enough).value(), 5);
  EXPECT_EQ(child.pid(), -1);
  EXPECT_FALSE(child.wait(long_enough));
}

TEST(Child, wait_on_one_that_goes_on_is_timeout_and_kill_ends_it) {
  TestPipe life;
  Child child = Child::start(server(life)).value();
  EXPECT_EQ(child.wait(0ms).error().code, Errc::timeout);
  EXPECT_EQ(child.wait(20ms).error().code, Errc::timeout);
  child.kill();
  EXPECT_EQ(child.wait(long_enough).value(), 137);
  EXPECT_TRUE(test::all_holders_die(life));
}

TEST(Child, destructor_kills_the_group_and_reaps) {
  TestPipe life;
  pid_t pid = -1;
  {
    const Child child = Child::start(server(life)).value();
    pid = child.pid();
  }
  EXPECT_EQ(::waitpid(pid, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
  EXPECT_TRUE(test::all_holders_die(life));
}

TEST(Child, move_assignment_ends_the_old_child_and_keeps_the_new) {
  TestPipe old_life;
  TestPipe new_life;
  Child child = Child::start(server(old_life)).value();
  Child other = Child::start(server(new_life)).value();
  const pid_t kept = other.pid();
  child = std::move(other);
  EXPECT_EQ(child.pid(), kept);
  EXPECT_EQ(other.pid(), -1);
  EXPECT_TRUE(test::all_holders_die(old_life));
  EXPECT_EQ(child.wait(0ms).error().code, Errc::timeout);
}

TEST(Child, output_and_errors_go_to_the_log_descriptor) {
  const UniqueFd log(::memfd_create("log", MFD_CLOEXEC));
  Child child = Child::start(shell("cat; echo out; echo err >&2; ls /proc/$$/fd"), log.get()).value();
  EXPECT_EQ(child.wait(long_enough).value(), 0);
  EXPECT_EQ(read_fd(log.get(), 1000, "log").value(), "out\nerr\n0\n1\n2\n");
}

TEST(Child, without_a_log_its_streams_are_dev_null) {
  const UniqueFd file(::memfd_create("links", MFD_CLOEXEC));
  Command command = shell("for i in 0 1 2; do link=$(readlink /proc/$$/fd/$i); echo $link >&7; done");
  command.descriptors = {{file.get(), 7}};
  Child child = Child::start(command).value();
  EXPECT_EQ(child.wait(long_enough).value(), 0);
  EXPECT_EQ(read_fd(file.get(), 1000, "links").value(), "/dev/null\n/dev/null\n/dev/null\n");
}

TEST(Child, one_that_cannot_start_is_an_error) {
  Command command;
  command.argv = {"/no/such/program"};
  EXPECT_EQ(Child::start(command).error().code, Errc::not_found);
}

TEST(Child, dies_with_the_thread_that_started_it) {
  Child child;
  std::thread([&child] { child = Child::start(shell("exec sleep 1000")).value(); }).join();
  EXPECT_EQ(child.wait(long_enough).value(), 137);
}

/// A process in between starts the child and is killed without a chance to clean up.
void expect_death_with_parent(bool as_worker) {
  TestPipe life;
  TestPipe ready;
  const pid_t parent = ::fork();
  if (parent == 0) {
    Command command = shell("exec sleep 1000");
    command.descriptors = {{life.writer.get(), 7}};
    if (as_worker) command.run_as = worker_credentials();
    const auto child = Child::start(command);
    static_cast<void>(write_all(ready.writer.get(), child ? "y" : "n").has_value());
    for (;;) ::pause();
  }
  ready.writer.reset();
  char answer = '?';
  EXPECT_EQ(::read(ready.reader.get(), &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  ::kill(parent, SIGKILL);
  EXPECT_EQ(::waitpid(parent, nullptr, 0), parent);
  EXPECT_TRUE(test::all_holders_die(life));
}

TEST(Child, dies_with_the_process_that_started_it) { expect_death_with_parent(false); }

// A change of user clears the death signal, so the order of the two matters.
TEST(Child, dies_with_the_process_that_started_it_also_as_another_user) { expect_death_with_parent(true); }

}  // namespace
}  // namespace vmpatch
