#pragma once

#include <string>
#include <vector>

namespace vmpatch::engine {

/// Outcome of asking: `unmet` names what does not hold, `held` what does (one line each, safe for a terminal).
struct Findings {
  std::vector<std::string> unmet;
  std::vector<std::string> held;
  std::vector<std::string> refused;  ///< of `unmet`: what no step may do; a plan refuses with these
  std::vector<std::string> removals; ///< folders that a step removes, with how many files
  bool expects_change = false;       ///< while set, an earlier step of the recipe takes away what would be refused

  void note(bool holds, std::string text) { (holds ? held : unmet).push_back(std::move(text)); }
  void refuse(std::string text) {
    if (!expects_change) refused.push_back(text);
    unmet.push_back(std::move(text));
  }
};

}  // namespace vmpatch::engine
