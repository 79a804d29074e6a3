#pragma once

#include <string>

#include "image/qemu/worker.hpp"
#include "vmpatch/image/block_server.hpp"

namespace vmpatch::image {

/// Runs block-commit of node `overlay` into its backing node `base` and waits for the end. Errc::timeout when it stands
/// still for ten minutes.
Result<void> run_commit_job(Worker& worker, const std::string& overlay, const std::string& base,
                            const Progress& progress);

}  // namespace vmpatch::image
