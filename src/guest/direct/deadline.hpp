#pragma once

#include <chrono>

#include "vmpatch/core/format.hpp"

namespace vmpatch::guest::direct {

/// End of the operation that is under way; shared by everything that works for it.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds limit{30};

  void start() { end_ = Clock::now() + limit; }
  [[nodiscard]] bool passed() const { return Clock::now() >= end_; }
  [[nodiscard]] int remaining_ms() const {
    return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now()).count());
  }
  [[nodiscard]] Result<void> check() const {
    if (passed()) return fail(Errc::timeout, "it took longer than {} s", limit.count());
    return {};
  }

 private:
  Clock::time_point end_ = Clock::now() + limit;
};

}  // namespace vmpatch::guest::direct
