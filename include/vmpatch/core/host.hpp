#pragma once
// Facts about this host and this process, from /proc.

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "vmpatch/core/result.hpp"

namespace vmpatch {

/// /proc/sys/kernel/random/boot_id, without newline.
Result<std::string> boot_id();

/// Field 22 of /proc/PID/stat (clock ticks since boot); not_found when there is no such process.
/// Together with pid and boot id it names one process for ever.
Result<std::uint64_t> process_start_time(pid_t pid);

/// uname -n.
std::string host_name();

}  // namespace vmpatch
