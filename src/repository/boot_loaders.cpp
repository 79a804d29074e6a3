#include "vmpatch/repository/boot_loaders.hpp"

#include <algorithm>

#include "vmpatch/core/text.hpp"

namespace vmpatch::repository {

const std::vector<std::string>& boot_loader_packages() {
  // What only holds files is held back by its dependencies where it has to be of one version with these.
  static const std::vector<std::string> packages{"grub-pc", "grub-efi-*", "grub-ieee1275", "grub-coreboot", "grub-xen", "grub-cloud-*", "grub-legacy",
                                                 "shim-signed", "shim-*-signed", "lilo", "extlinux", "syslinux-efi", "systemd-boot", "systemd-boot-efi", "refind",
                                                 "flash-kernel", "u-boot-menu", "raspi-firmware"};
  return packages;
}

bool is_boot_loader(const std::string& package) {
  const auto& all = boot_loader_packages();
  return std::any_of(all.begin(), all.end(), [&](const std::string& pattern) { return matches_pattern(pattern, package); });
}

}  // namespace vmpatch::repository
