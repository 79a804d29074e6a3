#include "cli/scan/make_survey.hpp"

#include <unistd.h>

#include "cli/common/progress.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::cli {

Result<fleet::Survey> make_survey(const Context& context, const ScanOptions& options, const fleet::SurveyOptions& wanted) {
  ProgressDisplay display(context);
  inventory::Machine all;  // one live line for all
  all.name = "scan";
  all.uuid = "scan";
  const bool is_watched = ::isatty(STDERR_FILENO) == 1;
  return fleet::Survey::make(context, options, wanted, display, [&](std::string_view what, std::size_t done, std::size_t total) {
    if (is_watched) display.step(all, fmt::format("reading {}: {} of {}", what, done, total));
  });
}

}  // namespace vmpatch::cli
