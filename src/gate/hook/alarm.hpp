#pragma once
// The hard limit: a hook that hangs freezes libvirt, which has no limit of its own.

#include <string>

namespace vmpatch::gate {

/// After 2 s the process ends with `exit_code`, having written `message` (one line) to stderr when that is not 0.
void arm_alarm(int exit_code, const std::string& message);
/// From now on it ends with this one: the group's on_error is known, or nothing is at stake any more.
void set_alarm_exit(int exit_code);

}  // namespace vmpatch::gate
