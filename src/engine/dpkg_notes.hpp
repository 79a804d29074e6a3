#pragma once

#include "vmpatch/guest/facts.hpp"

namespace vmpatch::engine {

/// What `dpkg --audit` says of a guest before any patch, as far as its files tell it: installed packages without the list of their files,
/// or without digests. For people, escaped; empty for guests of another package manager.
Result<std::vector<std::string>> dpkg_notes(guest::Guest& guest, const guest::Facts& facts);

}  // namespace vmpatch::engine
