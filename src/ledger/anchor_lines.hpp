#pragma once
// The text of an anchor, part by part.

#include "vmpatch/ledger/anchor.hpp"

namespace vmpatch::ledger {

/// Those of the lines in `text` that are higher than the one of their chain in `heads`.
void add_heads(std::string_view text, std::vector<Head>& heads);

}  // namespace vmpatch::ledger
