#pragma once

#include "guest/worker/wire.hpp"
#include "vmpatch/guest/guest.hpp"

namespace vmpatch::guest::worker {

/// Answers one request on the guest. `writable` is null for an adapter that only reads: its calls are unsupported.
/// Never throws; what goes wrong is in the answer.
Frame answer(const Frame& request, Guest& guest, WritableGuest* writable);

/// The answer that says so.
Frame error_frame(const Error& error);

}  // namespace vmpatch::guest::worker
