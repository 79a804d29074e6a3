#pragma once
// The hard limit: a hook that hangs freezes libvirt, which has no limit of its own.

#include <functional>
#include <string>

#include "gate/hook/errand.hpp"

namespace vmpatch::gate {

/// What libvirt gets: exit code, and a line for stderr.
struct Reply {
  int code = 0;
  std::string line;
};

/// From now on the call ends with this code when the limit is reached or the work crashes.
using SetLateCode = std::function<void(int code)>;

/// When the call has to be answered.
SteadyTime limit_from_now();

/// When no decision came in time. `line` is denial_start(); not said with code 0.
Reply out_of_time(int code, const std::string& line);

/// The reply of `work`, which runs in a child that does not keep libvirt waiting, whatever it waits for itself. When it does not
/// end in time, or crashes: `late_code` (or what it set instead), with a line that starts with `late_line`.
Reply within_limit(SteadyTime limit, int late_code, const std::string& late_line, const std::function<Reply(const SetLateCode&)>& work);

}  // namespace vmpatch::gate
