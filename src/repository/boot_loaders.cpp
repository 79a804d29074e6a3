#include "vmpatch/repository/boot_loaders.hpp"

#include <algorithm>

#include "vmpatch/core/text.hpp"

namespace vmpatch::repository {

const std::vector<std::string>& boot_loader_packages() {
  // What only holds files is held back by its dependencies where it has to be of one version with these.
  static const std::vector<std::string> packages{"grub-pc", "grub-efi-amd64", "grub-efi-ia32", "grub-efi-arm64", "grub-efi-arm", "grub-ieee1275",
                                                 "grub-coreboot", "grub-xen", "grub-cloud-amd64", "grub-legacy", "shim-signed", "lilo", "extlinux", "syslinux-efi",
                                                 "systemd-boot"};
  return packages;
}

bool is_boot_loader(const std::string& package) {
  const auto& all = boot_loader_packages();
  return std::any_of(all.begin(), all.end(), [&](const std::string& pattern) { return matches_pattern(pattern, package); });
}

}  // namespace vmpatch::repository
