#pragma once
// Room for the end of a run where the state directory's file system is full.

#include "vmpatch/engine/environment.hpp"

namespace vmpatch::engine {

/// STATE/reserve: 8 MiB that nothing compresses or leaves out, durable on return. What ends a run has to be recorded, and nobody records on a
/// file system that is full. Whole or absent; one that is there is left as it is. Errc::refused: there is no room for it.
Result<void> make_reserve(const RunPlaces& places);

/// For whoever must end a run: what is recorded from now on has that room. False: there was none. The next run makes it again.
bool give_back_reserve(const RunPlaces& places);

/// The error comes from a file system, or a quota, that is full.
[[nodiscard]] bool is_no_room(const Error& error);

}  // namespace vmpatch::engine
