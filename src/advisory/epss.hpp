#pragma once
// FIRST's EPSS scores as CSV: "#model_version:v2025.03.14,score_date:2025-03-15T00:00:00+0000", then "cve,epss,percentile", then
// one line a CVE.

#include "advisory/byte_source.hpp"
#include "advisory/store.hpp"

namespace vmpatch::advisory {

/// Adds to known vulnerabilities only. Errors: no such header line.
Result<void> load_epss(ByteSource& source, Intake& intake);

}  // namespace vmpatch::advisory
