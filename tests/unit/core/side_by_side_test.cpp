#include "vmpatch/core/side_by_side.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace vmpatch {
namespace {

TEST(Attempt, what_is_thrown_becomes_an_error_with_its_reason) {
  const auto failed = attempt("web01", []() -> Result<int> { throw std::runtime_error("no\x1bmemory"); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::failed);
  EXPECT_EQ(failed.error().message, "web01: no\\x1Bmemory");
  EXPECT_EQ(attempt("web01", []() -> Result<void> { throw 7; }).error().message, "web01: an exception without a reason");
}

TEST(Attempt, results_are_as_they_are) {
  EXPECT_EQ(*attempt("x", []() -> Result<int> { return 7; }), 7);
  EXPECT_EQ(attempt("x", []() -> Result<int> { return make_error(Errc::busy, "held"); }).error().code, Errc::busy);
}

TEST(SideBySide, one_that_throws_does_not_end_the_others_and_is_thrown_at_the_end) {
  for (const std::size_t jobs : {std::size_t{0}, std::size_t{1}, std::size_t{4}}) {
    std::vector<std::atomic<int>> done(100);
    const auto work = [&](std::size_t i) {
      if (i % 10 == 3) throw std::runtime_error("the fault");
      ++done[i];
    };
    EXPECT_THROW(side_by_side(done.size(), jobs, work), std::runtime_error);
    for (std::size_t i = 0; i < done.size(); ++i) EXPECT_EQ(done[i], i % 10 == 3 ? 0 : 1) << i;
  }
}

TEST(SideBySide, works_in_as_many_threads_as_it_may) {
  std::barrier together(3);
  std::set<std::thread::id> threads;
  std::mutex mutex;
  side_by_side(3, 3, [&](std::size_t) {
    together.arrive_and_wait();  // all three are there, or none goes on
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(threads.size(), 3U);
  EXPECT_NO_THROW(side_by_side(0, 3, [](std::size_t) { throw 1; }));
}

/// Ends this process with 0 when all was done. The limit binds nobody who is root.
[[noreturn]] void work_without_threads() {
  const rlimit none{0, 0};
  if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
  if (::setrlimit(RLIMIT_NPROC, &none) != 0) ::_exit(2);
  std::size_t done = 0;
  side_by_side(10, 4, [&](std::size_t) { ++done; });
  ::_exit(done == 10 ? 0 : 1);
}

TEST(SideBySide, without_a_thread_to_be_had_the_caller_does_all) {
  EXPECT_EXIT(work_without_threads(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace vmpatch
