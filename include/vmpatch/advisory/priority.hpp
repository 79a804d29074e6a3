#pragma once
// One documented formula: how urgent a finding is on one machine. Every factor can be printed.

#include <optional>
#include <string>
#include <vector>

#include "vmpatch/advisory/advisory.hpp"

namespace vmpatch::advisory {

/// What the machine adds. Words of its vm-patch metadata; counts of its custody records.
struct Surroundings {
  std::string criticality;  ///< low, medium, high, critical; "" = not said (counts as medium)
  std::string exposure;     ///< none, internal, internet; "" = not said (counts as internal)
  std::optional<Time> last_start;
  std::optional<double> starts_per_week;  ///< over the time that records exist
};

struct Factor {
  std::string name;    ///< "severity", "exploited", "epss", "criticality", "exposure", "use", "days open"
  std::string value;   ///< "CVSS 9.8"
  double weight = 0;   ///< what it multiplies or adds; see the README of src/advisory
};

struct Priority {
  double score = 0;  ///< 0–100
  Severity level = Severity::unknown;  ///< the word for the score: low, medium, high, critical
  std::vector<Factor> factors;
};

Priority prioritise(const Finding& finding, const Surroundings& surroundings, Time now);
Json to_json(const Priority& priority);

}  // namespace vmpatch::advisory
