#pragma once
// The resolver's answer, as JSON: schema vm-patch/apt-answer/v1, see include/vmpatch/repository/update.hpp for what its words mean.

#include <apt-pkg/depcache.h>

#include "repository/apt/marking.hpp"
#include "repository/apt/order.hpp"
#include "vmpatch/core/json_fwd.hpp"

namespace vmpatch::repository::apt {

Result<Json> make_answer(pkgDepCache& cache, const Origins& origins, const AllKeptBack& kept, const std::vector<Operation>& operations);

}  // namespace vmpatch::repository::apt
