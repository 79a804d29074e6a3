#include "guest/guestfs/script.hpp"

#include <gtest/gtest.h>

#include "guest/guestfs/bounded_qemu.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/process.hpp"

namespace vmpatch::guest::guestfs {
namespace {

std::string in_shell(const std::string& script) {
  Command command;
  command.argv = {"/bin/sh", "-c", script};
  const auto output = run(command);
  return output ? output->out : "it did not run";
}

TEST(ShellQuote, every_byte_comes_back) {
  std::string all;
  for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(in_shell("printf %s " + quote(all)), all);
  EXPECT_EQ(in_shell("printf '<%s>' " + quote("")), "<>");
}

TEST(BoundedQemu, emulation_gets_its_bound_and_every_other_argument_passes) {
  const std::string script = bounded_qemu_script("/bin/echo");
  EXPECT_EQ(in_shell("set -- -S -machine pc,accel=tcg,graphics=off -append 'a  b accel=tcg'\n" + script),
            "-S -machine pc,usb=off,graphics=off -append a  b accel=tcg -accel tcg,tb-size=192\n");
  EXPECT_EQ(in_shell("set -- -machine accel=tcg\n" + script), "-machine usb=off -accel tcg,tb-size=192\n");
  EXPECT_EQ(in_shell("set -- -machine accel=kvm -help\n" + script), "-machine accel=kvm -help\n");
}

TEST(GuestScript, what_a_shell_cannot_hold_is_failed) {
  EXPECT_FALSE(make_inner_script({}, {}).has_value());
  EXPECT_FALSE(make_inner_script({""}, {}).has_value());
  EXPECT_FALSE(make_inner_script({"a", std::string("b\0c", 3)}, {}).has_value());
  EXPECT_FALSE(make_inner_script({"a"}, {{"", "x"}}).has_value());
  EXPECT_FALSE(make_inner_script({"a"}, {{"1A", "x"}}).has_value());
  EXPECT_FALSE(make_inner_script({"a"}, {{"A B", "x"}}).has_value());
  EXPECT_FALSE(make_inner_script({"a"}, {{"A", std::string("b\0c", 3)}}).has_value());
}

TEST(GuestScript, inner_script_runs_its_program_and_gives_its_exit_code) {
  EXPECT_EQ(in_shell(make_inner_script({"/bin/sh", "-c", "echo \"$1 $V\"", "x", "a'b"}, {{"V", "$(id)"}}).value()), "a'b $(id)\n");
  Command command;
  command.argv = {"/bin/sh", "-c", make_inner_script({"/bin/sh", "-c", "exit 7"}, {}).value()};
  EXPECT_EQ(run(command)->exit_code, 7);
}

TEST(Ending, only_an_exit_code_and_a_size_are_taken) {
  const auto good = parse_ending("255 4194305 0\n");
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(good->exit_code, 255);
  EXPECT_EQ(good->output, 4194305U);
  EXPECT_FALSE(good->late);
  EXPECT_TRUE(parse_ending("124 0 1")->late);
  for (const char* text : {"", "\n", "0", "0 0", "256 0 0", "-1 0 0", "0 -1 0", "0  1", "0x1 0 0", "1a 0 0", "0 0 0 0", "0 0 x", "0 99999999999999999999 0"}) {
    EXPECT_FALSE(parse_ending(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace vmpatch::guest::guestfs
