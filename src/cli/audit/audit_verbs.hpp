#pragma once

#include <cstddef>

#include "vmpatch/cli/context.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::cli {

struct AuditListOptions {
  std::size_t limit = 50;
};

Result<int> verify_audit_log(Context& context);
Result<int> list_audit_log(Context& context, const AuditListOptions& options);

}  // namespace vmpatch::cli
