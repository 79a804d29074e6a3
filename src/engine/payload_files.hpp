#pragma once
// Which payloads a run needs on the payload disk.

#include "engine/archive/payload_disk.hpp"
#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

/// Verified descriptors of every payload that the plan uses; archives of unarchive steps as plain tars made in `work_dir`.
Result<std::vector<DiskFile>> payload_files(const Job& job, const recipe::PayloadStore& payloads, const plan::Plan& plan,
                                            const fs::path& work_dir);

}  // namespace vmpatch::engine
