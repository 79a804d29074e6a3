#pragma once
// The bytes of an anchor.

#include <sys/types.h>

#include "vmpatch/core/file.hpp"
#include "vmpatch/ledger/anchor.hpp"

namespace vmpatch::ledger {

/// 0 where that cannot be told.
off_t size_of(int fd);
/// Less than `size` where the file ends before.
Result<std::string> read_part(int fd, off_t from, off_t size);
/// 1 MiB at once.
Result<std::vector<Head>> heads_of_all(int fd);
std::string lines_of(const std::vector<Head>& heads);
/// Where nothing can be put in the place of a file; durable on return.
Result<void> write_in_place(const fs::path& place, const std::string& text);

}  // namespace vmpatch::ledger
