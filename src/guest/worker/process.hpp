#pragma once
// What the worker programs have in common: one socket, one guest, requests until the other side closes.

#include <functional>
#include <memory>

#include "guest/worker/wire.hpp"
#include "vmpatch/guest/guest.hpp"

namespace vmpatch::guest::worker {

/// The descriptor that every worker program gets.
inline constexpr int worker_socket = 3;

struct Opened {
  std::unique_ptr<Guest> guest;
  WritableGuest* writable = nullptr;  ///< the same object, or null
  bool hibernated = false;
};

/// Opens the guest that the first frame describes and answers calls. Returns the process exit code; never throws.
int serve_guest(const std::function<Result<Opened>(const Frame&)>& open);

}  // namespace vmpatch::guest::worker
