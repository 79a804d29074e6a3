#pragma once

#include "cli/scan/scan_options.hpp"
#include "vmpatch/cli/context.hpp"
#include "vmpatch/report/scan.hpp"

namespace vmpatch::cli {

/// The scan itself: every finding of every machine. Value: exit code.
Result<int> tell_findings(Context& context, const ScanOptions& options);

/// For people: findings of all machines, most urgent first, then the machines and the feeds.
std::unique_ptr<report::ScanWriter> make_table_writer(report::Sink sink, bool explain);

}  // namespace vmpatch::cli
