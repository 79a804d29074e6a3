#include "proof/screen_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vmpatch::proof {
namespace {

using testing::ElementsAre;
using Lines = std::vector<std::string>;

struct Read {
  Lines lines, blanks;
  std::string rest;
};

/// In pieces of that many bytes.
Read read(std::string_view bytes, std::size_t piece = 4096) {
  Read read;
  ScreenText text([&](std::string_view line) { read.lines.emplace_back(line); }, [&](std::string_view line) { read.blanks.emplace_back(line); });
  for (std::size_t at = 0; at < bytes.size(); at += piece) text.feed(bytes.substr(at, piece));
  read.rest = text.rest();
  return read;
}

TEST(ScreenText, lines_end_in_any_way_and_empty_ones_are_left_out) {
  EXPECT_THAT(read("a\nb\r\nc\r\r\n\n\r\nd").lines, ElementsAre("a", "b", "c"));
  EXPECT_EQ(read("a\nd").rest, "d");
}

TEST(ScreenText, what_is_written_over_is_a_line_of_its_own) { EXPECT_THAT(read("[ ** ] x\r[  OK ] y\n").lines, ElementsAre("[ ** ] x", "[  OK ] y")); }

TEST(ScreenText, commands_of_terminals_are_left_out_and_those_that_go_elsewhere_end_the_line) {
  EXPECT_THAT(read("\x1b[0;1;39mred\x1b[0m x\n").lines, ElementsAre("red x"));
  EXPECT_THAT(read("\x1b[1;1Hone\x1b[2;1Htwo\x1b[J\x1b[3dthree\n").lines, ElementsAre("one", "two", "three"));
  EXPECT_THAT(read("\x1b(Ba\x1b)0b\x1b]0;title\ac\x1b]0;t\x1b\\d\x1bPq\x1b\\e\n").lines, ElementsAre("abcde"));
  EXPECT_THAT(read("\x1b[31\nafter\n").lines, ElementsAre("after"));
}

TEST(ScreenText, every_prompt_is_told_before_its_line_ends) {
  EXPECT_THAT(read("a host login: ").blanks, ElementsAre("a ", "a host ", "a host login: "));
  EXPECT_EQ(read("host login: [  12.3] noise\n").blanks.front(), "host ");
}

TEST(ScreenText, a_line_without_end_becomes_several_and_pieces_do_not_matter) {
  const std::string longest(ScreenText::longest_line, 'x');
  EXPECT_THAT(read(longest + "yz\n").lines, ElementsAre(longest, "yz"));
  const std::string all = "\x1b[1;1Hone\x1b[0m two \r\nthree\x1b]0;t\x1b\\ four\r\nlogin: ";
  const auto whole = read(all);
  for (const std::size_t piece : {1U, 2U, 3U, 7U}) {
    EXPECT_EQ(read(all, piece).lines, whole.lines);
    EXPECT_EQ(read(all, piece).blanks, whole.blanks);
  }
}

}  // namespace
}  // namespace vmpatch::proof
