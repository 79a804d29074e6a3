#include "vmpatch/core/unique_fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace vmpatch {
namespace {

int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFd, closes_at_the_end_and_keeps_errno) {
  int number = -1;
  {
    const UniqueFd fd(open_null());
    number = fd.get();
    ASSERT_TRUE(is_open(number));
    errno = EXDEV;
  }
  EXPECT_EQ(errno, EXDEV);
  EXPECT_FALSE(is_open(number));
}

TEST(UniqueFd, moving_hands_over_and_closes_the_old_one) {
  UniqueFd a(open_null());
  UniqueFd b(open_null());
  const int kept = a.get();
  const int closed = b.get();
  b = std::move(a);
  EXPECT_EQ(b.get(), kept);
  EXPECT_TRUE(is_open(kept));
  EXPECT_FALSE(is_open(closed));
}

TEST(UniqueFd, release_leaves_it_open) {
  UniqueFd a(open_null());
  const UniqueFd again(a.release());
  EXPECT_FALSE(static_cast<bool>(a));
  EXPECT_TRUE(is_open(again.get()));
}

}  // namespace
}  // namespace vmpatch
