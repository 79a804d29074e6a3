#pragma once
// The one loop that moves payload bytes: bounded by the declared size, hashed on the way.

#include <functional>

#include "vmpatch/recipe/bundle.hpp"

namespace vmpatch::recipe {

using Sink = std::function<Result<void>(std::string_view bytes)>;

/// Errc::untrusted when `read` gives more or fewer bytes than payload.size, or bytes of another sha256. `sink` may have
/// got bytes by then; the caller drops them.
Result<void> copy_hashed(const Payload& payload, const PayloadStore::Reader& read, const Sink& sink);

}  // namespace vmpatch::recipe
