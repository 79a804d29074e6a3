#include "proof/evidence.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "unit/image/temp_dir.hpp"
#include "vmpatch/core/file.hpp"

namespace vmpatch::proof {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

TEST(Evidence, beginning_and_end_are_kept_and_the_middle_is_counted) {
  Evidence evidence;
  constexpr int lines = 60'000;
  for (int i = 0; i < lines; ++i) evidence.add("line " + std::to_string(i) + " of a machine that writes and writes");
  const auto text = evidence.text();
  EXPECT_LE(text.size(), Evidence::most_first + Evidence::most_last + 100);
  EXPECT_THAT(text, StartsWith("line 0 of"));
  EXPECT_THAT(text, EndsWith("line 59999 of a machine that writes and writes\n"));
  EXPECT_THAT(text, HasSubstr("lines are left out here]\n"));
  EXPECT_EQ(evidence.last_line(), "line 59999 of a machine that writes and writes");
}

TEST(Evidence, short_text_is_whole_escaped_and_for_its_owner_alone) {
  image::test::TempDir dir;
  Evidence evidence;
  EXPECT_EQ(evidence.last_line(), "");
  evidence.add("one");
  evidence.add("t\x1b[2Jwo\xff");
  ASSERT_TRUE(evidence.write(dir / "x.console"));
  EXPECT_EQ(*read_file(dir / "x.console"), "one\nt\\x1B[2Jwo\\xFF\n");
  struct stat info {};
  ASSERT_EQ(::stat((dir / "x.console").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  EXPECT_FALSE(evidence.write(dir / "x.console")) << "another run's file was written over";
}

}  // namespace
}  // namespace vmpatch::proof
