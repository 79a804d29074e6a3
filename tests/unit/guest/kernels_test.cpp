#include "guest/kernels.hpp"

#include <gtest/gtest.h>

#include "memory_guest.hpp"

namespace vmpatch::guest {
namespace {

MemoryGuest with(const std::vector<std::string>& paths) {
  MemoryGuest guest;
  for (const std::string& path : paths) guest.files[path] = "";
  return guest;
}

std::vector<Kernel> kernels_of(MemoryGuest guest) {
  auto kernels = read_kernels(guest);
  EXPECT_TRUE(kernels.has_value()) << kernels.error().message;
  return kernels.value_or(std::vector<Kernel>());
}

using Kernels = std::vector<Kernel>;

TEST(Kernels, alpine_flavour_has_the_version_of_its_module_folder) {
  const auto guest = [] {
    return with({"/boot/vmlinuz-virt", "/boot/initramfs-virt", "/boot/config-6.6.36-0-virt", "/lib/modules/6.6.36-0-virt/modules.dep",
                 "/lib/modules/6.6.36-0-lts/modules.dep"});
  };
  const Kernels expected{{"6.6.36-0-virt", true, true, "/boot/vmlinuz-virt"}};
  EXPECT_EQ(kernels_of(guest()), expected);
  MemoryGuest two = guest();
  two.files["/lib/modules/6.6.40-0-virt/modules.dep"] = "";
  EXPECT_EQ(kernels_of(two), Kernels());  // either may be it
  two.files["/usr/share/kernel/virt/kernel.release"] = "6.6.36-0-virt\n";
  EXPECT_EQ(kernels_of(two), expected);
}

TEST(Kernels, arch_flavour_has_the_version_of_its_package) {
  MemoryGuest guest = with({"/boot/vmlinuz-linux", "/boot/initramfs-linux.img", "/boot/initramfs-linux-fallback.img", "/boot/vmlinuz-linux-lts"});
  guest.files["/usr/lib/modules/6.9.1-arch1-1/pkgbase"] = "linux\n";
  guest.files["/usr/lib/modules/6.6.30-1-lts/pkgbase"] = "linux-lts\n";
  guest.files["/usr/lib/modules/extramodules/readme"] = "";
  EXPECT_EQ(kernels_of(guest), (Kernels{{"6.6.30-1-lts", false, true, "/boot/vmlinuz-linux-lts"},
                                        {"6.9.1-arch1-1", true, true, "/boot/vmlinuz-linux"}}));
}

TEST(Kernels, flavour_whose_version_cannot_be_told_is_left_out) {
  EXPECT_EQ(kernels_of(with({"/boot/vmlinuz-linux", "/boot/initramfs-linux.img"})), Kernels());
  MemoryGuest hostile = with({"/boot/vmlinuz-linux"});
  hostile.files["/usr/lib/modules/6.9/pkgbase"] = "linux\n";
  hostile.files["/usr/share/kernel/linux/kernel.release"] = "../../etc/passwd\n";
  EXPECT_EQ(kernels_of(hostile), (Kernels{{"6.9", false, true, "/boot/vmlinuz-linux"}}));
}

TEST(Kernels, names_of_other_architectures_are_known) {
  EXPECT_EQ(kernels_of(with({"/boot/vmlinux-6.1.0-13-powerpc64le", "/boot/initrd.img-6.1.0-13-powerpc64le",
                             "/lib/modules/6.1.0-13-powerpc64le/x"})),
            (Kernels{{"6.1.0-13-powerpc64le", true, true, "/boot/vmlinux-6.1.0-13-powerpc64le"}}));
  EXPECT_EQ(kernels_of(with({"/boot/Image-6.4.0-default", "/boot/initrd-6.4.0-default", "/boot/image-5.14.21-s390"})),
            (Kernels{{"5.14.21-s390", false, false, "/boot/image-5.14.21-s390"}, {"6.4.0-default", true, false, "/boot/Image-6.4.0-default"}}));
}

TEST(Kernels, copies_for_debuggers_checksums_and_leftovers_are_no_kernels) {
  EXPECT_EQ(kernels_of(with({"/boot/vmlinuz-6.4.0-default", "/boot/vmlinux-6.4.0-default", "/boot/vmlinux-6.4.0-default.gz",
                             "/boot/vmlinuz-6.4.0-default.hmac", "/boot/.vmlinuz-6.4.0-default.hmac", "/boot/vmlinuz-6.4.0.old",
                             "/boot/vmlinuz-6.5.0.dpkg-new", "/boot/vmlinuz", "/boot/vmlinuz-", "/boot/kernel-6.6/file"})),
            (Kernels{{"6.4.0-default", false, false, "/boot/vmlinuz-6.4.0-default"}}));
}

TEST(Kernels, those_of_kernel_install_are_found_by_their_folders) {
  const std::string id = "0123456789abcdef0123456789abcdef";
  MemoryGuest guest = with({"/boot/" + id + "/6.12.1-200.fc41/linux", "/boot/" + id + "/6.12.1-200.fc41/initrd",
                            "/boot/" + id + "/6.13.0/initrd", "/boot/mine/6.14.0/linux", "/boot/loader/6.15.0/linux"});
  EXPECT_EQ(kernels_of(guest), (Kernels{{"6.12.1-200.fc41", true, false, "/boot/" + id + "/6.12.1-200.fc41/linux"}}));
  guest.files["/etc/kernel/entry-token"] = "mine\n";
  EXPECT_EQ(kernels_of(guest).size(), 2U);
}

}  // namespace
}  // namespace vmpatch::guest
