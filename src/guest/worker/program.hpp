#pragma once

#include <filesystem>

namespace vmpatch::guest::worker {

/// The program that becomes the worker: set_guest_worker_program(), else this one.
const std::filesystem::path& worker_program();

}  // namespace vmpatch::guest::worker
