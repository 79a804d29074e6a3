#pragma once
// A worker shuts itself in before it touches guest content.

#include <string>
#include <vector>

#include "guest/worker/setup.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::guest::worker {

/// confine() of core/confine.hpp with the appliance, the sockets of the disks and the worker's folder. `setup` is changed to the paths inside.
/// Value: what this host does not permit, a phrase each.
Result<std::vector<std::string>> confine(Setup& setup, int socket);

}  // namespace vmpatch::guest::worker
