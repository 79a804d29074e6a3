#include <gtest/gtest.h>

#include "engine/early_boot.hpp"
#include "engine/verification.hpp"

namespace vmpatch::engine {
namespace {

guest::Facts with(std::vector<guest::Kernel> kernels) {
  guest::Facts facts;
  facts.kernels = std::move(kernels);
  return facts;
}

TEST(BootCheck, kernel_named_after_its_package_has_its_entry_by_its_file) {
  const auto before = with({{"6.9.1-arch1-1", true, true, "/boot/vmlinuz-linux"}});
  const auto after = with({{"6.9.2-arch1-1", true, true, "/boot/vmlinuz-linux"}});
  EXPECT_TRUE(check_boot(before, after, "menuentry 'Arch' {\n linux /boot/vmlinuz-linux\n}\n").empty());
  const auto failures = check_boot(before, after, "menuentry 'Arch' {\n linux /boot/vmlinuz-other\n}\n");
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_EQ(failures[0], "kernel 6.9.2-arch1-1 has no entry in grub.cfg");
}

TEST(BootCheck, initramfs_tools_asks_the_host_unless_it_is_told_otherwise) {
  EXPECT_TRUE(asks_host({"# c\nMODULES=dep\n"}));
  EXPECT_TRUE(asks_host({"MODULES=most\n", " MODULES=\"dep\"\n"}));
  EXPECT_TRUE(asks_host({"MODULES=$(x)\n"}));
  // Which of them mkinitramfs takes is not asked.
  EXPECT_TRUE(asks_host({"MODULES=dep\n", "MODULES='most'\n"}));
  EXPECT_FALSE(asks_host({"MODULES=netboot\n", "MODULES='most'\n"}));
  EXPECT_FALSE(asks_host({"#MODULES=dep\n", ""}));
  EXPECT_FALSE(asks_host({"MODULES=list\n"}));
}

TEST(BootCheck, a_root_that_no_entry_had_before_is_refused) {
  const recipe::Recipe none;
  const auto before = roots_of("menuentry 'a' {\n\tlinux\t/vmlinuz-1 root=UUID=12 ro quiet\n}\n linux /vmlinuz-0 root=/dev/vda1\n");
  ASSERT_EQ(before, (std::vector<std::string>{"UUID=12", "/dev/vda1"}));
  EXPECT_TRUE(check_roots(before, roots_of("linux /vmlinuz-2 root=UUID=12 ro\n"), none));
  EXPECT_TRUE(check_roots(before, roots_of("linux /vmlinuz-2 root=/dev/vda1\nlinux /other root=/dev/sdb1\n"), none));
  EXPECT_TRUE(check_roots({}, roots_of("linux /vmlinuz-2 root=/dev/sda1\n"), none));
  const auto refused = check_roots(before, roots_of("linux /vmlinuz-2 root=/dev/sda1 ro\n"), none);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("root=/dev/sda1"), std::string::npos);
  recipe::Recipe about_boot;
  recipe::step::File file;
  file.path = "/etc/default/grub";
  about_boot.steps.emplace_back(file);
  EXPECT_TRUE(check_roots(before, roots_of("linux /vmlinuz-2 root=/dev/sda1\n"), about_boot));
}

}  // namespace
}  // namespace vmpatch::engine
