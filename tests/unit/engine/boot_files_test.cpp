#include "engine/boot_files.hpp"

#include <gtest/gtest.h>

#include "unit/guest/memory_guest.hpp"

namespace vmpatch::engine {
namespace {

guest::MemoryGuest machine() {
  guest::MemoryGuest guest;
  for (const char* path : {"/boot/vmlinuz-6.1", "/boot/initrd.img-6.1", "/boot/grub/i386-pc/core.img", "/boot/efi/EFI/debian/grubx64.efi", "/usr/lib/modules/6.1/modules.dep",
                           "/usr/lib/firmware/intel/ucode", "/etc/hostname", "/usr/bin/true"}) {
    guest.files[path] = path;
    guest.mtimes[path] = 100;
  }
  guest.links["/boot/vmlinuz"] = "vmlinuz-6.1";
  return guest;
}

TEST(BootFiles, what_a_machine_does_not_start_from_changes_nothing) {
  auto guest = machine();
  const auto before = *describe_boot_files(guest);
  guest.files["/etc/hostname"] = "other";
  guest.files["/usr/bin/true"] = "longer than before";
  guest.files["/usr/lib/modules/6.1/kernel/drivers/net/one.ko"] = "deep";  // its folder is seen, and modules.dep changes with it
  EXPECT_NE(*describe_boot_files(guest), before);
  guest.files.erase("/usr/lib/modules/6.1/kernel/drivers/net/one.ko");
  EXPECT_EQ(*describe_boot_files(guest), before);
}

TEST(BootFiles, kernel_initramfs_loader_modules_firmware_and_links_count) {
  auto guest = machine();
  const auto before = *describe_boot_files(guest);
  for (const char* path : {"/boot/vmlinuz-6.1", "/boot/initrd.img-6.1", "/boot/grub/i386-pc/core.img", "/boot/efi/EFI/debian/grubx64.efi", "/usr/lib/modules/6.1/modules.dep",
                           "/usr/lib/firmware/intel/ucode"}) {
    auto changed = machine();
    changed.mtimes[path] = 101;
    EXPECT_NE(*describe_boot_files(changed), before) << path;
    changed = machine();
    changed.files[path] += "x";
    EXPECT_NE(*describe_boot_files(changed), before) << path;
    changed = machine();
    changed.files.erase(path);
    EXPECT_NE(*describe_boot_files(changed), before) << path;
  }
  guest.links["/boot/vmlinuz"] = "vmlinuz-6.2";
  EXPECT_NE(*describe_boot_files(guest), before);
}

TEST(BootFiles, names_that_look_like_others_are_not_taken_for_them) {
  auto one = machine();
  auto two = machine();
  one.files["/boot/a\n/boot/b"] = "";
  two.files["/boot/a"] = "";
  two.files["/boot/b"] = "";
  EXPECT_NE(*describe_boot_files(one), *describe_boot_files(two));
}

}  // namespace
}  // namespace vmpatch::engine
