#pragma once
// The file Packages.db of rpm's ndb. Format: rpm's lib/backend/ndb/rpmpkg.c. Little-endian; 32 bytes of head ("RpmP",
// version, generation, number of 4 KiB pages with slots, next package number); slots of 16 bytes ("Slot", package number,
// first block, number of blocks; first block 0: free) after it up to the end of these pages; blobs in blocks of 16 bytes:
// "BlbS", package number, time, length, the header without its magic, zeros, Adler-32 of all this, length, "BlbE".

#include <functional>
#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch::guest::rpm {

/// Calls `each` with every header, in the order of the slots; at most 50,000. What is cut off or inconsistent is failed.
Result<void> for_each_ndb_header(std::string_view database, const std::function<Result<void>(std::string_view)>& each);

}  // namespace vmpatch::guest::rpm
