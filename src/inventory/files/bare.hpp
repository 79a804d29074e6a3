#pragma once

#include "vmpatch/inventory/source.hpp"

namespace vmpatch::inventory {

/// The machine that a bare image stands for. Errc::not_found when there is no such file; its header is not read.
Result<Machine> make_bare_machine(const BareImage& image);

}  // namespace vmpatch::inventory
