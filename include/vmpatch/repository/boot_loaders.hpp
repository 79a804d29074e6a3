#pragma once
// Packages whose maintainer scripts write boot sectors and EFI system partitions by the names of the machine that they run on. In an
// appliance these are another machine's: the modules would be renewed and the boot sector would not, and the guest boots no more.

#include <string>
#include <vector>

namespace vmpatch::repository {

/// Name patterns (glob).
[[nodiscard]] const std::vector<std::string>& boot_loader_packages();
[[nodiscard]] bool is_boot_loader(const std::string& package);

}  // namespace vmpatch::repository
