#pragma once
// What this host needs so that vm-patch can work; each check really tries.

#include <string>
#include <vector>

#include "vmpatch/cli/context.hpp"

namespace vmpatch::cli {

enum class Health { good, warning, bad };

struct Finding {
  std::string what;
  Health health = Health::good;
  std::string text;
};

std::vector<Finding> check_host(Context& context);

}  // namespace vmpatch::cli
