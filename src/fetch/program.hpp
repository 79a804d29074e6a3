#pragma once
// A running vm-patch-fetch, as its parent sees it.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/process.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::fetch {

class Program {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  /// Runs as an account of its own, with one socket as all its streams.
  static Result<Program> start();

  /// Neither gone nor talking without being asked.
  [[nodiscard]] bool is_idle() const;
  Result<void> ask(std::string_view line, SteadyTime deadline);
  /// The next line, without its end. Errc::timeout at the deadline; Errc::failed with its code once the program has ended.
  Result<std::string> hear_line(SteadyTime deadline);
  /// The next bytes, some of at most `most` > 0; they are good until the next call. Errors likewise.
  Result<std::string_view> hear_bytes(std::uint64_t most, SteadyTime deadline);
  /// What it said outside of the protocol, to be told when it ends.
  void note(std::string_view line) { last_words_ = line; }

 private:
  Program(Child child, UniqueFd socket) : child_(std::move(child)), socket_(std::move(socket)) {}
  Result<void> wait_for(short events, SteadyTime deadline) const;
  Result<void> fill(SteadyTime deadline);
  Error ending();

  Child child_;
  UniqueFd socket_;
  std::vector<char> buffer_ = std::vector<char>(std::size_t{256} << 10U);
  std::size_t begin_ = 0, end_ = 0;  ///< what of the buffer is not taken yet
  std::string last_words_;
};

}  // namespace vmpatch::fetch
