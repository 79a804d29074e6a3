// Domain XML from anywhere: no crash, and a machine that is accepted keeps what the reader promises.
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vmpatch;
  const auto machine = inventory::parse_domain_xml({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!machine) {
    require(machine.error().code == Errc::refused || machine.error().code == Errc::failed);
    require(machine.error().message.find('\n') == std::string::npos);
    return 0;
  }
  require(!machine->name.empty() && is_uuid(machine->uuid));
  std::set<std::string> targets;
  for (const inventory::Disk& disk : machine->disks) {
    require(!disk.target.empty() && targets.insert(disk.target).second);
    require(!disk.source || !disk.source->empty());
  }
  return 0;
}
