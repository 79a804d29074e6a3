#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "vmpatch/core/format.hpp"

namespace vmpatch::guest::direct {

/// What reading one guest may take; shared by everything that works for it. Processor time is what a forged file system
/// costs, and neither a slow disk nor a busy host adds to it, so its limit is tight and counts over all operations. The
/// clock on the wall only ends what hangs.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;
  using Nanoseconds = std::chrono::nanoseconds;
  static constexpr std::chrono::seconds limit{60};       ///< of one operation, by the clock
  static constexpr std::chrono::seconds work_limit{2};   ///< processor time of all; a sane guest takes some hundredths
  static constexpr Nanoseconds for_byte{50};             ///< of content that is handed over; what it takes up to that is free
  static constexpr std::chrono::milliseconds for_path{1};  ///< of a list that the caller chose; free likewise

  Deadline() = default;
  /// `work`: instead of work_limit.
  explicit Deadline(Nanoseconds work) : work_(work) {}

  /// One operation: begins with it and ends with it. The first one begins with the deadline itself.
  class Operation {
   public:
    explicit Operation(Deadline& deadline) : deadline_(deadline) { deadline_.begin(); }
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;
    ~Operation() { deadline_.end(); }

   private:
    Deadline& deadline_;
  };

  [[nodiscard]] int remaining_ms() const {
    return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now()).count());
  }
  /// Errors: timeout.
  [[nodiscard]] Result<void> check() const;
  /// Processor time that counts so far.
  [[nodiscard]] Nanoseconds used() const;
  /// Of what was used since used() was `before`, at most `allowance` does not count.
  void forgive(Nanoseconds before, Nanoseconds allowance) { forgiven_ += std::min(used() - before, allowance); }
  void forgive_content(Nanoseconds before, std::uint64_t bytes) {
    forgive(before, for_byte * static_cast<Nanoseconds::rep>(bytes));
  }

 private:
  void begin();
  void end() { earlier_ = used(); begun_ = forgiven_ = Nanoseconds(0); running_ = false; }

  Nanoseconds work_ = work_limit;
  Clock::time_point end_ = Clock::now() + limit;
  Nanoseconds earlier_{0};   ///< of operations that have ended
  Nanoseconds begun_{0};     ///< processor time of this process when the operation began
  Nanoseconds forgiven_{0};  ///< of this operation
  bool running_ = false;
  mutable unsigned checks_ = 0;
};

}  // namespace vmpatch::guest::direct
