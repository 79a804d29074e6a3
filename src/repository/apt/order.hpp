#pragma once
// In which order libapt-pkg would have dpkg work.

#include <apt-pkg/depcache.h>

#include <vector>

#include "vmpatch/core/result.hpp"

namespace vmpatch::repository::apt {

struct Operation {
  enum class Kind { unpack, configure, remove, purge };
  Kind kind = Kind::unpack;
  pkgCache::PkgIterator package;
};

/// All of them: also those that dpkg would be left to find by itself at the end. Errors: failed (there is no order, or one in which a step
/// would not find what it depends on).
Result<std::vector<Operation>> order_operations(pkgDepCache& cache);

}  // namespace vmpatch::repository::apt
