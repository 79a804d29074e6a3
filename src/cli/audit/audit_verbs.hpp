#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "vmpatch/cli/context.hpp"
#include "vmpatch/core/result.hpp"

namespace vmpatch::cli {

struct AuditListOptions {
  std::size_t limit = 50;
};

struct AuditAcceptOptions {
  std::string reason;
  std::vector<std::string> forget;  ///< chains
  bool yes = false;
};

Result<int> verify_audit_log(Context& context);
Result<int> accept_audit_log(Context& context, const AuditAcceptOptions& options);
Result<int> list_audit_log(Context& context, const AuditListOptions& options);

}  // namespace vmpatch::cli
