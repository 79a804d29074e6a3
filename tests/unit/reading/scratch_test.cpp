#include "vmpatch/reading/scratch.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "unit/core/scratch.hpp"

namespace vmpatch::reading {
namespace {

namespace fs = std::filesystem;

TEST(Scratch, NewFolderIsHadWhileOthersSweep) {
  const test::Scratch place;
  std::atomic<bool> done{false};
  std::atomic<int> failed_sweeps{0};
  const auto sweep = [&] {
    while (!done) {
      if (!remove_abandoned_scratch(place.path())) ++failed_sweeps;
    }
  };
  int failed = 0;
  std::string why;
  {
    std::jthread one(sweep);
    std::jthread two(sweep);
    for (int i = 0; i < 2000; ++i) {
      const auto made = Scratch::make(place.path(), "run-" + std::to_string(i));
      if (!made || !fs::is_directory(made->path())) {
        ++failed;
        why = made ? "no folder" : made.error().message;
      }
    }
    done = true;
  }
  EXPECT_EQ(failed, 0) << why;
  EXPECT_EQ(failed_sweeps, 0);
}

TEST(Scratch, FolderThatIsHeldIsBusyAndOneThatNobodyHoldsIsSwept) {
  const test::Scratch place;
  const auto held = Scratch::make(place.path(), "held");
  ASSERT_TRUE(held) << held.error().message;
  EXPECT_EQ(Scratch::make(place.path(), "held").error().code, Errc::busy);
  fs::create_directories(place.path() / "left/below");
  ASSERT_TRUE(remove_abandoned_scratch(place.path()));
  EXPECT_TRUE(fs::exists(held->path()));
  EXPECT_FALSE(fs::exists(place.path() / "left"));
}

}  // namespace
}  // namespace vmpatch::reading
