#include "vmpatch/core/host.hpp"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmpatch/core/uuid.hpp"

namespace vmpatch {
namespace {

TEST(Host, boot_id_is_a_stable_uuid) {
  const auto id = boot_id();
  ASSERT_TRUE(id.has_value());
  EXPECT_TRUE(is_uuid(*id)) << *id;
  EXPECT_EQ(*id, boot_id().value());
}

TEST(Host, host_name_is_what_the_kernel_says) {
  char name[256] = {};
  ASSERT_EQ(::gethostname(name, sizeof name - 1), 0);
  EXPECT_EQ(host_name(), name);
}

TEST(ProcessStartTime, is_stable_and_not_before_the_parents) {
  const auto own = process_start_time(::getpid());
  ASSERT_TRUE(own.has_value());
  EXPECT_GT(*own, 0U);
  EXPECT_EQ(*own, process_start_time(::getpid()).value());
  EXPECT_GE(*own, process_start_time(::getppid()).value());
}

TEST(ProcessStartTime, a_name_with_parentheses_and_spaces_does_not_confuse_it) {
  char before[17] = {};
  ASSERT_EQ(::prctl(PR_GET_NAME, before), 0);
  const auto expected = process_start_time(::getpid());
  ASSERT_EQ(::prctl(PR_SET_NAME, "a) R 1 1 (b"), 0);
  const auto named = process_start_time(::getpid());
  ASSERT_EQ(::prctl(PR_SET_NAME, before), 0);
  EXPECT_EQ(named.value(), expected.value());
}

TEST(ProcessStartTime, no_such_process_is_not_found) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
  EXPECT_EQ(process_start_time(pid).error().code, Errc::not_found);
  EXPECT_EQ(process_start_time(0).error().code, Errc::not_found);
  EXPECT_EQ(process_start_time(-1).error().code, Errc::not_found);
}

}  // namespace
}  // namespace vmpatch
