#pragma once
// Plans and reports for people.

#include <string>

#include "vmpatch/engine/engine.hpp"

namespace vmpatch::cli {

/// Several lines, ends with a newline.
std::string format_plan(const plan::Plan& plan, bool verbose);
/// What a run changed: versions before and after, kept conffiles, checks, bytes, time.
std::string format_report(const engine::Report& report, bool verbose);

}  // namespace vmpatch::cli
