#include "guest/elf.hpp"

#include <gtest/gtest.h>

#include "vmpatch/core/file.hpp"

namespace vmpatch::guest {
namespace {

std::string header(char bits, char order, char low, char high) {
  std::string bytes("\x7f" "ELF");
  bytes += bits;
  bytes += order;
  bytes.resize(18, '\0');
  bytes += low;
  bytes += high;
  return bytes;
}

TEST(ElfMachine, usual_machines_have_their_uname_names) {
  EXPECT_EQ(elf_machine(header(2, 1, 62, 0)), "x86_64");
  EXPECT_EQ(elf_machine(header(1, 1, 3, 0)), "i686");
  EXPECT_EQ(elf_machine(header(2, 1, '\xb7', 0)), "aarch64");
  EXPECT_EQ(elf_machine(header(2, 2, 0, 22)), "s390x");
  EXPECT_EQ(elf_machine(header(2, 1, 21, 0)), "ppc64le");
  EXPECT_EQ(elf_machine(header(2, 1, '\xf3', 0)), "riscv64");
}

TEST(ElfMachine, other_bytes_have_none) {
  EXPECT_EQ(elf_machine(""), "");
  EXPECT_EQ(elf_machine("#!/bin/sh\nexec something\n"), "");
  EXPECT_EQ(elf_machine(header(2, 1, 62, 0).substr(0, 19)), "");
  EXPECT_EQ(elf_machine(header(9, 1, 62, 0)), "");
  EXPECT_EQ(elf_machine(header(2, 9, 62, 0)), "");
  EXPECT_EQ(elf_machine(header(2, 1, '\xff', '\xff')), "");
}

TEST(ElfMachine, the_running_program_has_the_machine_of_this_host) {
  const auto program = read_file("/proc/self/exe", 1U << 30U);
  ASSERT_TRUE(program.has_value());
#if defined(__x86_64__)
  EXPECT_EQ(elf_machine(*program), "x86_64");
#else
  EXPECT_NE(elf_machine(*program), "");
#endif
}

}  // namespace
}  // namespace vmpatch::guest
