#include <gtest/gtest.h>

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

}  // namespace
}  // namespace vmpatch::engine
