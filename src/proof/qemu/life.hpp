#pragma once

namespace vmpatch::proof {

/// Of vm-patch-proof: a socket whose other end its parent has.
inline constexpr int life_fd = 3;

}  // namespace vmpatch::proof
