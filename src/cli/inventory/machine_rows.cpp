#include "cli/inventory/machine_rows.hpp"

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

using inventory::Disk;
using inventory::Machine;

std::string format_disk(const Disk& disk) {
  std::string text = escape_untrusted(disk.target) + " " + (disk.format ? escape_untrusted(*disk.format) : "no format");
  if (!disk.layers.empty()) text += " " + format_size(disk.layers.front().virtual_size);
  if (disk.layers.size() > 1) text += fmt::format(" ({} layers)", disk.layers.size());
  if (!disk.problem.empty()) text += " (!)";
  return text;
}

std::string format_disks(const Machine& machine) {
  std::string text;
  for (const Disk& disk : machine.disks) {
    if (disk.is_drive()) text += (text.empty() ? "" : "\n") + format_disk(disk);
  }
  return text.empty() ? "-" : text;
}

std::string format_role(const Machine& machine) {
  std::string text = machine.is_template ? "template" : escape_untrusted(machine.metadata.role);
  if (!machine.children.empty()) text += fmt::format(" ({} {})", machine.children.size(), machine.children.size() == 1 ? "child" : "children");
  if (!machine.shared_with.empty()) text += std::string(text.empty() ? "" : ", ") + "shared disk";
  return text.empty() ? "-" : text;
}

std::string format_run(const std::optional<Json>& run) {
  if (!run) return "-";
  return fmt::format("{} {} {}", run->value("time", ""), escape_untrusted(run->value("recipe", "")), run->value("state", ""));
}

std::string format_verdict(const std::optional<Json>& verdict) {
  if (!verdict) return "-";
  return fmt::format("{} ({})", verdict->value("answer", ""), verdict->value("rule", ""));
}

}  // namespace

std::vector<std::string> machine_titles() { return {"NAME", "STATE", "ROLE", "DISKS", "LAST RUN", "VERDICT"}; }

std::vector<std::string> format_machine(const Machine& machine, const MachineStatus& status) {
  return {escape_untrusted(machine.name),  std::string(inventory::to_string(machine.state)), format_role(machine),
          format_disks(machine), format_run(status.last_run),                      format_verdict(status.verdict)};
}

}  // namespace vmpatch::cli
