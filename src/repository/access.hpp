#pragma once

#include "vmpatch/fetch/request.hpp"
#include "vmpatch/repository/source.hpp"

namespace vmpatch::repository {

/// How this repository's servers are reached; certificates and keys are read. What comes is compared with what was signed, so that plain http
/// will do. Errors: not_found, failed.
Result<fetch::Access> make_access(const Source& source);

}  // namespace vmpatch::repository
