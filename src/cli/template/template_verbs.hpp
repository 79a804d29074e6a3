#pragma once

#include "vmpatch/cli/context.hpp"
#include "vmpatch/fleet/selection.hpp"

namespace vmpatch::cli {

struct TemplateOptions {
  fleet::MachineOptions machines;  ///< none named: all
  std::size_t keep = 1;
  bool yes = false;
};

Result<int> list_templates(Context& context, const TemplateOptions& options);
Result<int> show_templates(Context& context, const TemplateOptions& options);
Result<int> demote_template(Context& context, const TemplateOptions& options);
Result<int> promote_template(Context& context, const TemplateOptions& options);
Result<int> prune_templates(Context& context, const TemplateOptions& options);

}  // namespace vmpatch::cli
