#include <gmock/gmock.h>
#include <sys/stat.h>

#include "unit/trust/fixtures.hpp"
#include "vmpatch/recipe/bundle.hpp"

namespace vmpatch::recipe {
namespace {

using testing::HasSubstr;

class PayloadStoreTest : public testing::Test {
 protected:
  static PayloadStore::Reader reader_of(const std::string& content) {
    return [content, at = std::size_t{0}](char* buffer, std::size_t size) mutable -> Result<std::size_t> {
      const auto got = content.copy(buffer, size, at);
      at += got;
      return got;
    };
  }
  static std::size_t files_in(const fs::path& dir) {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(dir)) count += entry.is_regular_file() ? 1U : 0U;
    return count;
  }
  [[nodiscard]] fs::path file_of(const Payload& payload) const {
    const auto hex = payload.sha256.hex();
    return dir_.path() / "sha256" / hex.substr(0, 2) / hex;
  }

  test::ScratchDir dir_;
  PayloadStore store_ = *PayloadStore::open(dir_.path());
  std::string content_ = std::string(700'000, 'x') + "end";
  Payload payload_{"p.deb", sha256(content_), content_.size()};
};

TEST_F(PayloadStoreTest, added_payload_is_read_from_the_hashed_descriptor) {
  EXPECT_FALSE(store_.has(payload_));
  EXPECT_EQ(store_.open_verified(payload_).error().code, Errc::not_found);
  ASSERT_TRUE(store_.add(payload_, reader_of(content_)));
  EXPECT_TRUE(store_.has(payload_));
  const auto fd = store_.open_verified(payload_);
  ASSERT_TRUE(fd) << fd.error().message;
  EXPECT_EQ(*read_fd(fd->get(), 1U << 20U, "p"), content_);
  struct stat status {};
  ASSERT_EQ(::stat(file_of(payload_).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0444U);
}

TEST_F(PayloadStoreTest, wrong_content_is_untrusted_and_leaves_nothing) {
  for (const auto& wrong : {content_ + "x", content_.substr(1), std::string(content_.size(), 'y'), std::string()}) {
    const auto added = store_.add(payload_, reader_of(wrong));
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code, Errc::untrusted);
    EXPECT_THAT(added.error().message, HasSubstr("p.deb"));
  }
  EXPECT_FALSE(store_.has(payload_));
  EXPECT_EQ(files_in(dir_.path()), 0U);
}

TEST_F(PayloadStoreTest, failing_source_leaves_nothing) {
  const auto added =
      store_.add(payload_, [](char*, std::size_t) { return Result<std::size_t>(make_error(Errc::failed, "I/O")); });
  ASSERT_FALSE(added);
  EXPECT_EQ(files_in(dir_.path()), 0U);
}

TEST_F(PayloadStoreTest, rotten_file_is_set_aside_and_can_be_added_again) {
  ASSERT_TRUE(store_.add(payload_, reader_of(content_)));
  ASSERT_EQ(::chmod(file_of(payload_).c_str(), 0644), 0);
  auto rotten = content_;
  rotten[5] = 'y';
  ASSERT_TRUE(write_file_atomic(file_of(payload_), rotten));
  const auto fd = store_.open_verified(payload_);
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error().code, Errc::untrusted);
  EXPECT_TRUE(fs::exists(file_of(payload_).string() + ".bad"));
  EXPECT_FALSE(store_.has(payload_));
  ASSERT_TRUE(store_.add(payload_, reader_of(content_)));
  EXPECT_TRUE(store_.open_verified(payload_));
}

TEST_F(PayloadStoreTest, symlink_in_the_store_is_not_followed) {
  ASSERT_TRUE(store_.add(payload_, reader_of(content_)));
  const auto elsewhere = dir_ / "elsewhere";
  fs::rename(file_of(payload_), elsewhere);
  fs::create_symlink(elsewhere, file_of(payload_));
  EXPECT_FALSE(store_.has(payload_));
  EXPECT_FALSE(store_.open_verified(payload_));
}

}  // namespace
}  // namespace vmpatch::recipe
