#pragma once
// Facts of a machine for people.

#include <string>

#include "vmpatch/fleet/facts.hpp"

namespace vmpatch::cli {

struct FactsView {
  bool packages = false;  ///< list them
  bool verbose = false;   ///< by which path the disks were read, and when
};

/// Several lines, ends with a newline. `facts` are those of `about`.
std::string format_facts(const fleet::MachineFacts& about, const guest::Facts& facts, const FactsView& view);

}  // namespace vmpatch::cli
