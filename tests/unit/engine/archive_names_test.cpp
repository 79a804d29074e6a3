#include <fcntl.h>
#include <gmock/gmock.h>

#include "engine/archive/contents.hpp"
#include "unit/core/scratch.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/process.hpp"

namespace vmpatch::engine {
namespace {

// No test calls setlocale: the locale is "C", as in vm-patch.
TEST(ArchiveNames, bytes_beyond_ascii_come_as_they_are) {
  const test::Scratch folder;
  const std::string name = "gr\xc3\xb6\xc3\x9f" "e/na\xc3\xafve";
  for (const char* format : {"pax", "gnu", "ustar"}) {
    ASSERT_TRUE(make_dirs((folder / name).parent_path()));
    ASSERT_TRUE(write_file_atomic(folder / name, "drei"));
    Command tar;
    tar.argv = {"tar", "-C", folder.path().string(), std::string("--format=") + format, "-cf", (folder / "a.tar").string(), name};
    ASSERT_TRUE(run_checked(tar));
    const UniqueFd fd(::open((folder / "a.tar").c_str(), O_RDONLY | O_CLOEXEC));
    const auto listed = list_archive(fd.get(), "a.tar");
    ASSERT_TRUE(listed) << format << ": " << listed.error().message;
    ASSERT_EQ(listed->size(), 1U);
    EXPECT_EQ(listed->front().path, name) << format;
    const UniqueFd out(::open((folder / "plain.tar").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    ASSERT_TRUE(write_plain_tar(fd.get(), "a.tar", out.get()));
    const auto again = list_archive(out.get(), "plain.tar");
    ASSERT_TRUE(again) << format << ": " << again.error().message;
    EXPECT_EQ(again->front().path, name) << format;
  }
}

}  // namespace
}  // namespace vmpatch::engine
