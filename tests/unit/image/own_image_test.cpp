#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/image/qcow2_bytes.hpp"
#include "unit/image/temp_dir.hpp"
#include "vmpatch/image/block_server.hpp"

namespace vmpatch::image {
namespace {

using test::TempDir;
using testing::HasSubstr;

TEST(OwnImage, a_new_one_is_private_and_passes_the_screen) {
  const TempDir dir;
  const auto image = create_own_image(dir / "undo.qcow2", 3ULL << 30U, nullptr);
  ASSERT_TRUE(image.has_value()) << image.error().message;
  struct stat info {};
  ASSERT_EQ(::stat(image->path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  EXPECT_EQ(::fcntl(image->read_only.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_EQ(::fcntl(image->read_write.get(), F_GETFL) & O_ACCMODE, O_RDWR);
  const auto again = open_own_image(dir / "undo.qcow2", 3ULL << 30U, false);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_FALSE(static_cast<bool>(again->read_write));
}

TEST(OwnImage, the_backing_layer_stands_in_the_header) {
  const TempDir dir;
  const auto base = dir.write("base.raw", std::string(1U << 20U, 'x'));
  const auto chain = Chain::open(base, Format::raw, {});
  ASSERT_TRUE(chain.has_value());
  ASSERT_TRUE(create_own_image(dir / "overlay.qcow2", 1U << 20U, &chain->top()).has_value());
  const auto overlay = Chain::open(dir / "overlay.qcow2", Format::qcow2, {});
  ASSERT_TRUE(overlay.has_value()) << overlay.error().message;
  ASSERT_EQ(overlay->layers().size(), 2U);
  EXPECT_EQ(overlay->layers()[1].path, base);
  EXPECT_EQ(overlay->layers()[1].format, Format::raw);
}

TEST(OwnImage, an_existing_file_is_not_touched) {
  const TempDir dir;
  const auto path = dir.write("precious", "content");
  EXPECT_FALSE(create_own_image(path, 1U << 20U, nullptr).has_value());
  EXPECT_EQ(test::read_whole(path), "content");
}

TEST(OwnImage, impossible_sizes_are_refused) {
  const TempDir dir;
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{513}, ~std::uint64_t{511}}) {
    const auto image = create_own_image(dir / "x.qcow2", size, nullptr);
    ASSERT_FALSE(image.has_value()) << size;
    EXPECT_EQ(image.error().code, Errc::refused);
  }
  EXPECT_FALSE(fs::exists(dir / "x.qcow2"));
}

TEST(OwnImage, another_size_or_a_hostile_header_is_refused_on_opening) {
  const TempDir dir;
  ASSERT_TRUE(create_own_image(dir / "x.qcow2", 1U << 20U, nullptr).has_value());
  EXPECT_EQ(open_own_image(dir / "x.qcow2", 2U << 20U, true).error().code, Errc::refused);
  auto bytes = test::Qcow2Bytes{}.build();
  write_be<std::uint64_t>(bytes, qcow2::at_incompatible, 4);
  dir.write("y.qcow2", bytes);
  EXPECT_THAT(open_own_image(dir / "y.qcow2", 1U << 20U, true).error().message, HasSubstr("external data file"));
}

TEST(NbdExport, uri_escapes_what_is_special) {
  const NbdExport disk{"/run/a b/nbd.sock", "vda?x", 0, false, {}};
  EXPECT_EQ(disk.uri(), "nbd+unix:///vda%3Fx?socket=/run/a%20b/nbd.sock");
}

}  // namespace
}  // namespace vmpatch::image
