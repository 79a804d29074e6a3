#pragma once

namespace vmpatch::proof {

/// Of vm-patch-proof and of the QEMU that it becomes: a socket whose other end its parent has, to see that both are gone.
inline constexpr int life_fd = 3;

}  // namespace vmpatch::proof
