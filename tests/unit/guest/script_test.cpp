#include "guest/guestfs/script.hpp"

#include <gtest/gtest.h>

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

TEST(GuestScript, what_a_shell_cannot_hold_is_failed) {
  const Seconds minute(60);
  EXPECT_FALSE(make_script({}, {}, minute, "/o").has_value());
  EXPECT_FALSE(make_script({""}, {}, minute, "/o").has_value());
  EXPECT_FALSE(make_script({"a", std::string("b\0c", 3)}, {}, minute, "/o").has_value());
  EXPECT_FALSE(make_script({"a"}, {{"", "x"}}, minute, "/o").has_value());
  EXPECT_FALSE(make_script({"a"}, {{"1A", "x"}}, minute, "/o").has_value());
  EXPECT_FALSE(make_script({"a"}, {{"A B", "x"}}, minute, "/o").has_value());
  EXPECT_FALSE(make_script({"a"}, {{"A", std::string("b\0c", 3)}}, minute, "/o").has_value());
}

TEST(ExitCode, only_numbers_of_an_exit_code_are_taken) {
  EXPECT_EQ(parse_exit_code("0\n"), 0);
  EXPECT_EQ(parse_exit_code(" 255 \n"), 255);
  for (const char* text : {"", "\n", "256", "-1", "1 2", "0x1", "1a"}) EXPECT_EQ(parse_exit_code(text), std::nullopt) << text;
}

}  // namespace
}  // namespace vmpatch::guest::guestfs
