#pragma once
// Base scores of CVSS vectors.

#include <string>
#include <string_view>

#include "vmpatch/advisory/advisory.hpp"

namespace vmpatch::advisory {

struct BaseScore {
  std::string version;  ///< "2.0", "3.0", "3.1", "4.0"
  double score = 0;     ///< 0–10, one decimal
  Severity severity = Severity::unknown;
};

/// Versions 4.0 (specification, section 8), 3.0 and 3.1 (section 7.1) and 2.0 (guide, section 3.2.1; with or without
/// parentheses). Threat, temporal and environmental metrics are allowed and do not change the base score. Errc::failed:
/// anything else.
Result<BaseScore> base_score(std::string_view vector);

/// The qualitative scale of the versions 3 and 4; version 2 has no "critical" and no "none" (its guide leaves words to NVD).
Severity severity_of_score(double score, std::string_view version);

}  // namespace vmpatch::advisory
