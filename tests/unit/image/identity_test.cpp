#include "vmpatch/image/identity.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "unit/image/qcow2_bytes.hpp"
#include "unit/image/temp_dir.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/unique_fd.hpp"

namespace vmpatch::image {
namespace {

using test::Qcow2Bytes;
using test::TempDir;
using testing::HasSubstr;

LayerIdentity identify(const std::filesystem::path& path, bool is_qcow2) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  auto identity = identify_fd(fd.get(), path, is_qcow2);
  EXPECT_TRUE(identity.has_value()) << identity.error().message;
  return identity ? *identity : LayerIdentity{};
}

void overwrite(const std::filesystem::path& path, std::uint64_t offset, std::string_view bytes) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(::pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)),
            static_cast<ssize_t>(bytes.size()));
}

TEST(Identity, a_raw_file_has_the_digest_of_nothing) {
  const TempDir dir;
  const auto identity = identify(dir.write("disk.raw", std::string(4096, 'x')), false);
  EXPECT_EQ(identity.header.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(identity.size, 4096U);
  EXPECT_GT(identity.mtime_ns, 0);
  EXPECT_GT(identity.inode, 0U);
}

TEST(Identity, the_header_digest_covers_the_first_cluster) {
  const TempDir dir;
  const auto bytes = Qcow2Bytes{}.build();
  const auto path = dir.write("disk.qcow2", bytes);
  EXPECT_EQ(identify(path, true).header, sha256(std::string_view(bytes).substr(0, 65536)));
  const auto before = identify(path, true);
  overwrite(path, 65535, "x");
  EXPECT_NE(identify(path, true).header, before.header);
}

TEST(Identity, the_header_digest_covers_the_snapshot_table_and_nothing_behind_it) {
  const TempDir dir;
  Qcow2Bytes spec;
  spec.snapshot_table = test::snapshot_entry("1", "before", 0, true);
  spec.snapshot_count = 1;
  const auto path = dir.write("disk.qcow2", spec.build());
  const auto before = identify(path, true);
  overwrite(path, 4 * Qcow2Bytes::cluster + spec.snapshot_table.size(), "x");
  EXPECT_EQ(identify(path, true).header, before.header);
  overwrite(path, 4 * Qcow2Bytes::cluster + 57, "X");
  EXPECT_NE(identify(path, true).header, before.header);
}

TEST(Identity, a_dirty_image_still_has_an_identity) {
  const TempDir dir;
  auto bytes = Qcow2Bytes{}.build();
  write_be<std::uint64_t>(bytes, qcow2::at_incompatible, 1);
  EXPECT_NE(identify(dir.write("disk.qcow2", bytes), true).header, Digest{});
}

TEST(Identity, a_qcow2_that_became_something_else_is_refused) {
  const TempDir dir;
  const auto path = dir.write("disk.qcow2", std::string(4096, 'x'));
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto identity = identify_fd(fd.get(), path, true);
  ASSERT_FALSE(identity.has_value());
  EXPECT_EQ(identity.error().code, Errc::refused);
  EXPECT_THAT(identity.error().message, HasSubstr(path.native()));
}

TEST(Identity, a_write_moves_it) {
  const TempDir dir;
  const auto path = dir.write("disk.raw", std::string(4096, 'x'));
  const DiskIdentity before{identify(path, false)};
  const timespec times[2] = {{0, UTIME_OMIT}, {1, 5}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  const DiskIdentity after{identify(path, false)};
  EXPECT_FALSE(matches(before, after));
  EXPECT_EQ(after[0].mtime_ns, 1'000'000'005);
  EXPECT_EQ(first_difference(before, after), "layer " + path.native() + ": mtime moved");
}

TEST(Identity, every_field_but_the_path_is_compared) {
  LayerIdentity layer{"/a", "ext:1", 2, 3, 4, 5, 6, sha256("x"), {}, 0};
  const DiskIdentity before{layer};
  LayerIdentity moved = layer;
  moved.path = "/b";
  EXPECT_TRUE(matches(before, {moved}));
  EXPECT_EQ(first_difference(before, {moved}), "");
  for (int field = 0; field < 7; ++field) {
    LayerIdentity other = layer;
    switch (field) {
      case 0: other.volume = "ext:2"; break;
      case 1: ++other.inode; break;
      case 2: ++other.birth_ns; break;
      case 3: ++other.size; break;
      case 4: ++other.mtime_ns; break;
      case 5: ++other.ctime_ns; break;
      default: other.header = sha256("y");
    }
    EXPECT_FALSE(matches(before, {other})) << field;
    EXPECT_NE(first_difference(before, {other}), "") << field;
  }
  EXPECT_FALSE(matches(before, {layer, layer}));
  EXPECT_THAT(first_difference(before, {layer, layer}), HasSubstr("1 layers"));
}

TEST(Identity, sectors_written_count_within_one_attachment_of_one_boot_only) {
  const LayerIdentity layer{"/dev/a", "dm:LVM-1", 0, 0, 4, 0, 0, sha256("x"), "boot/7", 8};
  LayerIdentity later = layer;
  later.written = 9;
  EXPECT_FALSE(matches({layer}, {later}));
  EXPECT_THAT(first_difference({layer}, {later}), HasSubstr("was written to"));
  later.incarnation = "other boot/2";
  EXPECT_TRUE(matches({layer}, {later}));
  later.incarnation.clear();
  EXPECT_TRUE(matches({layer}, {later}));
}

TEST(Identity, one_recorded_with_a_device_number_is_read_and_matches_nothing) {
  const TempDir dir;
  const DiskIdentity now{identify(dir.write("disk.raw", std::string(4096, 'x')), false)};
  Json old = to_json(now);
  old[0].erase("volume");
  old[0]["device"] = std::uint64_t{2049};
  const auto recorded = identity_from_json(old);
  ASSERT_TRUE(recorded.has_value()) << recorded.error().message;
  EXPECT_FALSE(matches(*recorded, now));
  EXPECT_THAT(first_difference(*recorded, now), HasSubstr("older vm-patch"));
}

TEST(Identity, json_round_trip_keeps_every_field) {
  const DiskIdentity identity{{"/a", "ext:1", 2, -3, 4, INT64_MAX, 6, sha256("x"), {}, 0},
                              {"/dev/b", "dm:LVM-1", 0, 0, 1, 0, 0, {}, "boot/7", UINT64_MAX}};
  const auto text = dump_json(to_json(identity));
  const auto back = identity_from_json(parse_json(text, "test").value());
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(*back, identity);
}

TEST(Identity, json_with_a_missing_or_wrong_field_is_an_error) {
  const Json good = to_json({{"/dev/a", "dm:LVM-1", 0, 0, 4, 0, 0, sha256("x"), "boot/7", 8}});
  for (const auto& [key, value] : good[0].items()) {
    Json missing = good;
    missing[0].erase(key);
    EXPECT_FALSE(identity_from_json(missing).has_value()) << key;
    Json wrong = good;
    wrong[0][key] = Json::array();
    EXPECT_FALSE(identity_from_json(wrong).has_value()) << key;
  }
  EXPECT_FALSE(identity_from_json(Json::object()).has_value());
  EXPECT_FALSE(identity_from_json(Json::parse("[1]")).has_value());
}

}  // namespace
}  // namespace vmpatch::image
