#include "repository/kept_answers.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "unit/core/scratch.hpp"
#include "vmpatch/core/file.hpp"

namespace vmpatch::repository {
namespace {

class KeptAnswersTest : public testing::Test {
 protected:
  KeptAnswers open(const KeptAnswers::Bounds& bounds = KeptAnswers::Bounds{}) const { return KeptAnswers::open(scratch_.path(), bounds).value(); }
  fs::path file(const Digest& key) const { return scratch_ / ("answers/" + key.hex()); }
  void age(const Digest& key, long seconds) const {
    const std::array<timespec, 2> times{timespec{std::time(nullptr) - seconds, 0}, timespec{std::time(nullptr) - seconds, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, file(key).c_str(), times.data(), 0), 0);
  }

  const Digest key_ = sha256("key"), other_ = sha256("other"), third_ = sha256("third");
  vmpatch::test::Scratch scratch_;
};

TEST_F(KeptAnswersTest, what_was_kept_is_found_by_another_process_and_nobody_else_reads_it) {
  const std::string answer("an answer\nof two lines\0", 23);
  ASSERT_TRUE(open().keep(key_, answer));
  EXPECT_EQ(open().find(key_), answer);
  EXPECT_FALSE(open().find(other_));
  struct stat info {};
  ASSERT_EQ(::stat(file(key_).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  ASSERT_EQ(::stat(file(key_).parent_path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0700U);
  ASSERT_TRUE(open().keep(key_, ""));
  EXPECT_EQ(open().find(key_), "");
}

TEST_F(KeptAnswersTest, damaged_foreign_or_older_one_is_absent) {
  ASSERT_TRUE(open().keep(key_, "an answer"));
  const std::string whole = read_file(file(key_)).value();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    ASSERT_TRUE(write_file_atomic(file(key_), whole.substr(0, length), 0600));
    EXPECT_FALSE(open().find(key_)) << length;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    ASSERT_TRUE(write_file_atomic(file(key_), damaged, 0600));
    EXPECT_FALSE(open().find(key_)) << at;
  }
  std::string older = whole;
  older.replace(older.find("/v1"), 3, "/v0");
  for (const std::string& text : {older, whole + "\n", "\n" + whole, std::string("\n")}) {
    ASSERT_TRUE(write_file_atomic(file(key_), text, 0600));
    EXPECT_FALSE(open().find(key_)) << text;
  }
  // Of another key, under this name.
  ASSERT_TRUE(write_file_atomic(file(other_), whole, 0600));
  EXPECT_FALSE(open().find(other_));
  ASSERT_TRUE(write_file_atomic(file(key_), whole, 0600));
  EXPECT_TRUE(open().find(key_));
}

TEST_F(KeptAnswersTest, what_is_no_file_of_ours_is_absent_and_nobody_waits_for_it) {
  ASSERT_TRUE(open().keep(key_, "an answer"));
  ASSERT_EQ(::chmod(file(key_).c_str(), 0622), 0);
  EXPECT_FALSE(open().find(key_));
  ASSERT_EQ(::chmod(file(key_).c_str(), 0600), 0);
  fs::rename(file(key_), scratch_ / "elsewhere");
  fs::create_symlink(scratch_ / "elsewhere", file(key_));
  EXPECT_FALSE(open().find(key_));
  fs::remove(file(key_));
  fs::create_directory(file(key_));
  EXPECT_FALSE(open().find(key_));
  fs::remove(file(key_));
  ASSERT_EQ(::mkfifo(file(key_).c_str(), 0600), 0);
  EXPECT_FALSE(open().find(key_));
}

TEST_F(KeptAnswersTest, endless_one_is_neither_kept_nor_read) {
  ASSERT_TRUE(open().keep(key_, std::string((8U << 20U) + 1, 'x')));
  EXPECT_FALSE(fs::exists(file(key_)));
  ASSERT_TRUE(open().keep(key_, "an answer"));
  fs::resize_file(file(key_), std::uint64_t{1} << 40U);
  EXPECT_FALSE(open().find(key_));
}

TEST_F(KeptAnswersTest, beyond_their_number_the_longest_unused_goes) {
  KeptAnswers::Bounds bounds;
  bounds.count = 2;
  const KeptAnswers kept = open(bounds);
  ASSERT_TRUE(kept.keep(key_, "1"));
  ASSERT_TRUE(kept.keep(other_, "2"));
  age(key_, 100);
  age(other_, 50);
  EXPECT_TRUE(kept.find(key_));  // which is a use
  ASSERT_TRUE(kept.keep(third_, "3"));
  EXPECT_TRUE(kept.find(key_));
  EXPECT_FALSE(fs::exists(file(other_)));
  EXPECT_TRUE(kept.find(third_));
}

TEST_F(KeptAnswersTest, beyond_their_size_and_their_age_they_go) {
  KeptAnswers::Bounds bounds;
  bounds.bytes = 1000;
  ASSERT_TRUE(open(bounds).keep(key_, std::string(700, 'x')));
  age(key_, 10);
  ASSERT_TRUE(open(bounds).keep(other_, std::string(300, 'x')));
  EXPECT_FALSE(fs::exists(file(key_)));
  EXPECT_TRUE(fs::exists(file(other_)));
  age(other_, 31L * 24 * 60 * 60);
  ASSERT_TRUE(open().keep(third_, "x"));
  EXPECT_FALSE(fs::exists(file(other_)));
}

TEST_F(KeptAnswersTest, what_a_killed_process_began_to_write_goes_when_it_is_old) {
  ASSERT_TRUE(open().keep(key_, "x"));
  const fs::path fresh = scratch_ / "answers/.fresh.Abc123", old = scratch_ / "answers/.old.Abc123";
  for (const fs::path& path : {fresh, old}) ASSERT_TRUE(write_file_atomic(path, "half", 0600));
  const std::array<timespec, 2> times{timespec{1000, 0}, timespec{1000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, old.c_str(), times.data(), 0), 0);
  ASSERT_TRUE(open().keep(other_, "x"));
  EXPECT_TRUE(fs::exists(fresh));
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(open().find(key_));
}

}  // namespace
}  // namespace vmpatch::repository
