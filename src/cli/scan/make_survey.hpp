#pragma once

#include "cli/scan/scan_options.hpp"
#include "vmpatch/cli/context.hpp"

namespace vmpatch::cli {

/// What every question starts from. On a terminal one live line tells how far it is.
Result<fleet::Survey> make_survey(const Context& context, const ScanOptions& options, const fleet::SurveyOptions& wanted);

}  // namespace vmpatch::cli
