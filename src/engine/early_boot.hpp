#pragma once
// What a patch makes for the guest's next start. Programs that build an initial file system look at the computer that they run on, which is
// the appliance here: with MODULES=dep (initramfs.conf(5)) or host-only dracut (dracut.conf(5)) the drivers of the machine itself would be
// left out.

#include "vmpatch/guest/guest.hpp"
#include "vmpatch/recipe/recipe.hpp"

namespace vmpatch::engine {

/// While it stands, initial file systems are built for any computer.
class AnyHost {
 public:
  static Result<AnyHost> force(guest::WritableGuest& guest);
  Result<void> take_back(guest::WritableGuest& guest) const;

 private:
  std::vector<std::string> files_;
};

/// Pure: whether initramfs-tools, by its configuration files in the order in which it reads them, asks the computer for its drivers.
bool asks_host(const std::vector<std::string>& configuration);

/// Pure: where the kernels of GRUB's configuration find their root: the values of root= on its linux lines, in their order.
std::vector<std::string> roots_of(std::string_view grub_cfg);

/// Errc::failed: the first entry finds its root at a place that no entry had before. update-grub in an appliance may write a device of the
/// appliance. Nothing is compared where nothing was known before, or the recipe has a step on a file of the boot loader.
Result<void> check_roots(const std::vector<std::string>& before, const std::vector<std::string>& after, const recipe::Recipe& recipe);

/// Of /boot/grub/grub.cfg; empty where there is none.
Result<std::vector<std::string>> read_roots(guest::Guest& guest);

}  // namespace vmpatch::engine
