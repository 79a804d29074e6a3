#include <CLI/CLI.hpp>

#include "cli/common/output.hpp"
#include "cli/doctor/checks.hpp"
#include "cli/verbs.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::cli {
namespace {

const char* word(Health health) {
  switch (health) {
    case Health::good: return "ok";
    case Health::warning: return "warning";
    case Health::bad: return "bad";
  }
  return "";
}

Result<int> run_doctor(Context& context) {
  Json checks = Json::array();
  int code = 0;
  for (const auto& finding : check_host(context)) {
    if (finding.health == Health::bad) code = 1;
    checks.push_back({{"check", finding.what}, {"health", word(finding.health)}, {"text", finding.text}});
    if (!context.options.json) print_text(fmt::format("{:<8} {:<20} {}\n", word(finding.health), finding.what, finding.text));
  }
  if (context.options.json) print_json({{"schema", "vm-patch/doctor/v1"}, {"checks", checks}});
  return code;
}

}  // namespace

void add_doctor_verb(CLI::App& app, Chosen& chosen) {
  auto* verb = app.add_subcommand("doctor", "Check what this host needs: QEMU, appliance, acceleration, libvirt, keys, space");
  verb->footer("Exit code 1 when something is bad; warnings do not count.");
  verb->callback([&chosen] { chosen.action = [](Context& context) { return run_doctor(context); }; });
}

}  // namespace vmpatch::cli
