#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vmpatch/fleet/survey.hpp"

namespace vmpatch::cli {

namespace fs = std::filesystem;

struct ScanOptions : fleet::SurveyRequest {
  // Telling.
  std::string fail_on;  ///< "" = none
  std::vector<std::string> statuses;
  bool explain = false;
  std::string output_format;  ///< table, json, csv, sarif; "" = table, or json with --json
  fs::path output;            ///< empty = standard output
  // Questions; at most one.
  std::optional<std::string> fix;      ///< a CVE or an alias
  std::optional<std::string> package;  ///< a name or pattern
  bool lag = false;
  bool no_snapshots = false;  ///< with lag
  std::optional<unsigned> retire;  ///< days
  bool orphans = false;
};

}  // namespace vmpatch::cli
