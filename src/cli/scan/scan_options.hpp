#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/common/machines.hpp"

namespace vmpatch::cli {

struct ScanOptions {
  MachineOptions machines;
  // Feeds.
  std::vector<std::string> feeds;  ///< [KIND=]LOCATION; none = those of the configuration
  bool offline = false;
  bool refresh = false;
  std::string max_feed_age;  ///< "" = the configuration's
  // Reading.
  bool fresh = false;
  unsigned jobs = 0;
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
