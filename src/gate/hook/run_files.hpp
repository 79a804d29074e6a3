#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "vmpatch/core/result.hpp"

namespace vmpatch::gate {

/// A small file below /run or /proc: never a link, FIFO or device, and never more than `max_bytes`.
Result<std::string> read_run_file(const std::filesystem::path& path, std::uint64_t max_bytes);

}  // namespace vmpatch::gate
