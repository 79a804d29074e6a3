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
  std::string value;   ///< "CVSS 9.8"; may quote metadata of the machine, escaped
  double weight = 0;   ///< points that it adds to the score
  double most = 0;     ///< points that it could add at most; over all factors these are 100
};

struct Priority {
  double score = 0;  ///< 0–100, the sum of the factors' weights, to one decimal
  Severity level = Severity::none;  ///< the word for the score: low, medium, high, critical; none for what is not affected
  std::vector<Factor> factors;      ///< in the order above; empty for what is not affected, and where only the score is asked for
};

enum class Detail { factors, score };

/// Pure. Never falls when one factor rises and the others stay. The formula: section "Priority" in src/advisory/README.md.
Priority prioritise(const Finding& finding, const Surroundings& surroundings, Time now, Detail detail = Detail::factors);
/// The word for a score of an affected machine.
Severity priority_level(double score);
Json to_json(const Priority& priority);

}  // namespace vmpatch::advisory
