#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "vmpatch/core/process.hpp"

namespace vmpatch::repository::apt {

/// Runs vm-patch-apt without privileges, network or processes, in `folder` as `account`; `input` is what it reads. A failure has its last words.
Result<std::string> run_program(const std::vector<std::string>& arguments, const std::filesystem::path& folder, const std::optional<Credentials>& account,
                                std::string input = {});

/// The same with its answer in a file, of which it gets the descriptor. Errc::untrusted: more than `max_bytes`.
Result<void> run_program_into(int fd, std::uint64_t max_bytes, const std::vector<std::string>& arguments);

}  // namespace vmpatch::repository::apt
