#include "vmpatch/plan/versions.hpp"

namespace vmpatch::plan {

bool in_bounds(VersionScheme scheme, const std::string& version, const recipe::VersionBound& bound) {
  const int order = compare_versions(scheme, version, bound.version);
  using Op = recipe::VersionBound::Op;
  switch (bound.op) {
    case Op::lt: return order < 0;
    case Op::le: return order <= 0;
    case Op::eq: return order == 0;
    case Op::ge: return order >= 0;
    case Op::gt: return order > 0;
  }
  return false;
}

}  // namespace vmpatch::plan
