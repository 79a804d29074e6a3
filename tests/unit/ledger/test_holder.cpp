#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "vmpatch/ledger/store.hpp"

namespace vmpatch::ledger {
namespace {

TEST(Holder, this_process_is_alive) {
  const auto self = this_holder();
  ASSERT_TRUE(self);
  EXPECT_EQ(self->pid, ::getpid());
  EXPECT_TRUE(is_alive(*self));
}

TEST(Holder, same_pid_of_another_boot_or_another_start_is_dead) {
  const Holder self = *this_holder();
  Holder other = self;
  other.boot_id = "00000000-0000-4000-8000-000000000000";
  EXPECT_FALSE(is_alive(other));
  other = self;
  other.start_time += 1;
  EXPECT_FALSE(is_alive(other));
}

TEST(Holder, killed_process_that_nobody_reaped_yet_is_dead) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  Holder holder = *this_holder();
  holder.pid = child;
  // Field 22 differs from ours; take it the same way as the child would.
  const std::string path = "/proc/" + std::to_string(child) + "/stat";
  FILE* file = ::fopen(path.c_str(), "re");
  ASSERT_NE(file, nullptr);
  char line[1024] = {};
  ASSERT_NE(::fgets(line, sizeof line, file), nullptr);
  ::fclose(file);
  const std::string text = line;
  std::size_t at = text.rfind(')');
  for (int field = 2; field < 22; ++field) at = text.find(' ', at + 1);
  holder.start_time = std::stoull(text.substr(at + 1));
  EXPECT_TRUE(is_alive(holder));

  ASSERT_EQ(::kill(child, SIGKILL), 0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  EXPECT_FALSE(is_alive(holder));
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(is_alive(holder));
}

}  // namespace
}  // namespace vmpatch::ledger
