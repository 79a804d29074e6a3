// Domain and status XML from anywhere: no crash, and what is accepted keeps what the readers promise.
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string_view>

#include "vmpatch/core/uuid.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_error(const vmpatch::Error& error) {
  require(error.code == vmpatch::Errc::refused || error.code == vmpatch::Errc::failed);
  require(error.message.find('\n') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vmpatch;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto status = inventory::parse_domain_status(text, "fuzz");
  if (!status) check_error(status.error());
  if (status) require(is_uuid(status->machine.uuid) && status->pid != 1 && status->pid >= 0);
  const auto machine = inventory::parse_domain_xml(text, "fuzz");
  if (!machine) {
    check_error(machine.error());
    return 0;
  }
  require(!machine->name.empty() && is_uuid(machine->uuid));
  const auto& hardware = machine->hardware;
  require(hardware.efi || (!hardware.loader_is_flash && hardware.nvram.empty()));
  std::set<std::string> targets;
  for (const inventory::Disk& disk : machine->disks) {
    require(!disk.target.empty() && targets.insert(disk.target).second);
    require(!disk.source || !disk.source->empty());
  }
  return 0;
}
