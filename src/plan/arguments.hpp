#pragma once
// What one command of a step may be given. Linux takes at most 128 KiB in one argument and, with the stack that an appliance gives its
// programs, 2 MiB in all (execve(2)); a run that fails by that has made an overlay and launched an appliance for nothing.

#include "vmpatch/plan/plan.hpp"

namespace vmpatch::plan {

/// Why dpkg cannot be given these packages at once; "" = it can.
std::string too_many_packages(const std::vector<PackageChange>& changes);

/// Why a program cannot be given these arguments; "" = it can.
std::string too_long_arguments(const recipe::step::Run& step);

}  // namespace vmpatch::plan
