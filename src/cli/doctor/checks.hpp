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

/// Warns when guests are read by an account that other programs share.
Finding check_account();
Finding check_confinement();
/// Warns when this kernel cannot keep a confined reader to its folder.
Finding check_landlock();

std::vector<Finding> check_host(Context& context);

}  // namespace vmpatch::cli
