#pragma once
// QEMU Machine Protocol over a connected unix socket. Source: QEMU docs/interop/qmp-spec.txt.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/result.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch {

/// One monitor. The other side handles hostile images, so its messages are bounded (1 MiB a line, 64 levels) and waited
/// for in bounded time. After a broken connection or a timeout every call fails: replies could no longer be told apart.
class Qmp {
 public:
  using Milliseconds = std::chrono::milliseconds;

  explicit Qmp(UniqueFd socket) : socket_(std::move(socket)) {}

  /// Reads the greeting and leaves capability negotiation.
  Result<void> negotiate(Milliseconds timeout);
  /// The "return" member. `pass_fd` >= 0 travels with the command (SCM_RIGHTS).
  Result<Json> execute(std::string_view command, const Json& arguments = Json::object(), int pass_fd = -1,
                       Milliseconds timeout = Milliseconds(30'000));
  /// Returns after the next event, or after `timeout` without one. Events only wake up: state is always queried.
  Result<void> wait_for_event(Milliseconds timeout);
  /// Takes what has arrived, without waiting: for one who watches descriptor().
  Result<void> take_events() { return wait_for_event(Milliseconds(0)); }
  /// Readable when there is something to take; -1 when broken.
  [[nodiscard]] int descriptor() const { return socket_.get(); }
  /// The connection cannot be used any more.
  [[nodiscard]] bool broken() const { return !socket_; }

 private:
  using Deadline = std::chrono::steady_clock::time_point;

  Error break_off(Errc code, std::string message);
  Result<void> send(std::string_view text, int pass_fd, Deadline deadline);
  /// Nothing when the deadline came first.
  Result<std::optional<Json>> receive(Deadline deadline);

  UniqueFd socket_;
  std::string buffer_;
  std::uint64_t next_id_ = 1;
  bool event_seen_ = false;
};

}  // namespace vmpatch
