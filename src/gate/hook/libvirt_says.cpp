#include "gate/hook/libvirt_says.hpp"

#include <algorithm>
#include <array>

#include "gate/hook/run_files.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::gate {
namespace {

constexpr std::uint64_t largest_status = 4U << 20U;
constexpr std::uint64_t largest_command_line = 4U << 20U;

std::optional<inventory::DomainStatus> load_status(const fs::path& run_dir, const inventory::Machine& machine) {
  const std::string& name = machine.name;
  // libvirt takes no such names, but they would lead to another file.
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos || name.find('\0') != std::string::npos) return {};
  const auto text = read_run_file(run_dir / "libvirt" / "qemu" / (name + ".xml"), largest_status);
  auto status = text ? inventory::parse_domain_status(*text, name) : Result<inventory::DomainStatus>(text.error());
  if (!status || status->machine.uuid != machine.uuid) return {};
  return std::move(*status);
}

/// Of the process, if it is the QEMU of this machine; a pid may have been given to another one.
std::vector<std::string> load_arguments(const inventory::DomainStatus& status) {
  if (status.pid == 0) return {};
  auto text = read_run_file(fmt::format("/proc/{}/cmdline", status.pid), largest_command_line);
  if (!text) return {};
  if (text->ends_with('\0')) text->pop_back();  // each word ends with one
  std::vector<std::string> arguments;
  for (const std::string_view word : split(*text, '\0')) arguments.emplace_back(word);
  for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
    if (arguments[i] == "-uuid" && arguments[i + 1] == status.machine.uuid) return arguments;
  }
  return {};
}

}  // namespace

LibvirtSays LibvirtSays::look(const fs::path& run_dir, const inventory::Machine& machine) {
  LibvirtSays said;
  said.status_ = load_status(run_dir, machine);
  if (said.status_) said.arguments_ = load_arguments(*said.status_);
  return said;
}

bool LibvirtSays::snapshot_loaded() const {
  for (std::size_t i = 1; i + 1 < arguments_.size(); ++i) {
    if (arguments_[i] == "-loadvm" || arguments_[i] == "--loadvm") return true;
    if (arguments_[i] == "-append") ++i;  // what follows is the kernel's command line, whatever it looks like
  }
  // qemuSnapshotRevertActive: later versions of libvirt load it over the monitor, in a job of that name.
  return status_ && status_->job == "snapshot" && status_->state == "paused";
}

bool LibvirtSays::has_run() const {
  // A start that fails is paused to its end ("starting up", "migration", "user").
  constexpr std::array states{"running", "shutdown", "crashed", "pmsuspended"};
  return status_ && std::ranges::find(states, status_->state) != states.end();
}

bool LibvirtSays::memory_saved() const {
  // qemuDomainSaveInternal works at this job until QEMU has ended. A machine that was suspended before keeps the reason of that.
  return status_ && status_->job == "save";
}

}  // namespace vmpatch::gate
