// Whether a folder still holds the appliance that was built.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "guest/worker/appliance_folder.hpp"
#include "unit/core/scratch.hpp"

namespace vmpatch::guest::worker {
namespace {

namespace fs = std::filesystem;

struct Folder {
  test::Scratch dir;
  fs::path path = dir / "appliance";
  Folder() {
    fs::create_directory(path);
    for (const char* name : {"kernel", "initrd", "root"}) std::ofstream(path / name) << name;
    const auto sealed = seal_appliance(path, "key");
    EXPECT_TRUE(sealed.has_value()) << sealed.error().message;
  }
  [[nodiscard]] ApplianceState state() const { return check_appliance(path, "key"); }
  void rewrite(const std::string& name, const std::string& text) const {
    ASSERT_EQ(::chmod((path / name).c_str(), 0644), 0);
    std::ofstream(path / name) << text;
    ASSERT_EQ(::chmod((path / name).c_str(), 0444), 0);
  }
};

TEST(ApplianceSeal, what_was_sealed_is_good_for_its_key_and_read_only) {
  const Folder folder;
  EXPECT_EQ(folder.state(), ApplianceState::good);
  EXPECT_EQ(check_appliance(folder.path, "another"), ApplianceState::outdated);
  EXPECT_EQ(check_appliance(folder.dir / "nothing", "key"), ApplianceState::missing);
  for (const auto& entry : fs::directory_iterator(folder.path)) {
    EXPECT_EQ(static_cast<unsigned>(entry.status().permissions()), 0444U) << entry.path();
  }
}

TEST(ApplianceSeal, a_file_that_was_only_touched_is_compared_and_good) {
  const Folder folder;
  folder.rewrite("root", "root");
  EXPECT_EQ(folder.state(), ApplianceState::touched);
  ASSERT_TRUE(seal_appliance(folder.path, "key").has_value());
  EXPECT_EQ(folder.state(), ApplianceState::good);
}

TEST(ApplianceSeal, other_content_of_the_same_size_and_time_is_told) {
  for (const std::string name : {"kernel", "initrd", "root"}) {
    const Folder folder;
    struct stat info {};
    ASSERT_EQ(::stat((folder.path / name).c_str(), &info), 0);
    folder.rewrite(name, std::string(name.size(), '!'));
    const timespec times[] = {info.st_atim, info.st_mtim};
    ASSERT_EQ(::utimensat(AT_FDCWD, (folder.path / name).c_str(), times, 0), 0);
    EXPECT_EQ(folder.state(), ApplianceState::changed) << name;
  }
}

TEST(ApplianceSeal, what_others_may_write_is_told) {
  for (const std::string name : {"kernel", "record.json", "README.fixed", "."}) {
    const Folder folder;
    ASSERT_EQ(::chmod((folder.path / name).c_str(), name == "." ? 0777 : 0666), 0);
    EXPECT_EQ(folder.state(), ApplianceState::changed) << name;
  }
  const Folder linked;
  fs::create_hard_link(linked.path / "root", linked.dir / "also");
  EXPECT_EQ(linked.state(), ApplianceState::changed);
  const Folder replaced;
  fs::rename(replaced.path / "root", replaced.dir / "elsewhere");
  fs::create_symlink(replaced.dir / "elsewhere", replaced.path / "root");
  EXPECT_EQ(replaced.state(), ApplianceState::changed);
}

TEST(ApplianceSeal, a_record_that_says_nothing_is_none) {
  for (const std::string text : {"", "[]", "{}", R"({"key":"key"})", R"({"key":"key","files":[]})", R"({"key":"key","files":{"kernel":1}})"}) {
    const Folder folder;
    folder.rewrite("record.json", text);
    EXPECT_NE(folder.state(), ApplianceState::good) << text;
  }
  const Folder missing;
  fs::remove(missing.path / "initrd");
  EXPECT_EQ(missing.state(), ApplianceState::changed);
}

}  // namespace
}  // namespace vmpatch::guest::worker
