#pragma once

#include <chrono>
#include <string>

#include "vmpatch/cli/context.hpp"
#include "vmpatch/core/result.hpp"
#include "vmpatch/fleet/selection.hpp"

namespace vmpatch::cli {

struct InstallOptions {
  fs::path hooks_dir = "/etc/libvirt/hooks";
  fs::path program;  ///< empty: beside vm-patch, or where it is installed
  bool proof = true;
};
struct ExplainOptions {
  fleet::MachineOptions machines;
};
struct OverrideOptions {
  fleet::MachineOptions machines;
  std::string reason;
  std::string duration = "1h";
};

struct ForgetSaveOptions {
  fleet::MachineOptions machines;
  std::string reason;
};

Result<int> install_gate(Context& context, const InstallOptions& options);
Result<int> uninstall_gate(Context& context, const InstallOptions& options);
Result<int> show_gate_status(Context& context, const InstallOptions& options);
Result<int> publish_gate(Context& context);
Result<int> explain_verdict(Context& context, const ExplainOptions& options);
Result<int> override_gate(Context& context, const OverrideOptions& options);
Result<int> list_rescans(Context& context);
Result<int> forget_save(Context& context, const ForgetSaveOptions& options);

}  // namespace vmpatch::cli
