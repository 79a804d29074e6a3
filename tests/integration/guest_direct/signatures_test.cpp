// What lies on a disk, by its magic bytes: type, UUID and label as blkid tells them.
#include "guest/direct/signatures.hpp"

#include "integration/guest_direct/guest_images.hpp"

namespace vmpatch::guest::direct::test {
namespace {

using namespace std::string_literals;

struct Piece {
  std::size_t offset;
  std::string bytes;
};

struct Known {
  std::string type, uuid, label;
  bool names_known;
  std::vector<Piece> pieces;
};

class Signatures : public testing::TestWithParam<Known> {};

TEST_P(Signatures, type_uuid_and_label_are_those_of_blkid) {
  std::string disk(1U << 20U, '\0');
  for (const Piece& piece : GetParam().pieces) disk.replace(piece.offset, piece.bytes.size(), piece.bytes);
  const auto found = recognise(disk.size(), [&](std::uint64_t offset, std::size_t length) -> Result<std::string> {
    return disk.substr(static_cast<std::size_t>(offset), length);
  });
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->type, GetParam().type);
  EXPECT_EQ(found->uuid, GetParam().uuid);
  EXPECT_EQ(found->label, GetParam().label);
  EXPECT_EQ(found->names_known, GetParam().names_known);
}

const std::string raw_uuid = "\x96\x67\x35\x13\x8b\xbb\x4a\xe0\xb6\xaf\x7c\x28\x6b\xe6\x33\x9d";
const std::string uuid = "96673513-8bbb-4ae0-b6af-7c286be6339d";
const std::string date = "2026112819060800\0"s;
const std::string no_date = "0000000000000000\0"s;

INSTANTIATE_TEST_SUITE_P(
    Types, Signatures,
    testing::Values(
        Known{"exfat", "EFEF-3E60", "", false, {{3, "EXFAT   "}, {100, "\x60\x3e\xef\xef"}, {510, "\x55\xaa"}}},
        Known{"f2fs", uuid, "gr\xc3\xbcn \xf0\x9f\x98\x80", true,
              {{1024, "\x10\x20\xf5\xf2"}, {1132, raw_uuid}, {1148, "g\0r\0\xfc\0n\0 \0\x3d\xd8\x00\xde"s}}},
        Known{"erofs", uuid, "image", true, {{1024, "\xe2\xe1\xf5\xe0"}, {1072, raw_uuid}, {1088, "image"}}},
        Known{"jfs", uuid, "data", true, {{32768, "JFS1"}, {32904, raw_uuid}, {32920, "data"}}},
        Known{"reiserfs", uuid, "data", true, {{65588, "ReIsEr2Fs"}, {65620, raw_uuid}, {65636, "data"}}},
        Known{"reiserfs", "", "", true, {{65588, "ReIsErFs"}, {65620, raw_uuid}}},
        Known{"squashfs", "", "", true, {{0, "hsqs"}}},
        Known{"iso9660", "2026-11-28-19-06-08-00", "TOOLS 1", false,
              {{32769, "CD001"}, {32808, "TOOLS 1                         "}, {33581, date}, {33598, no_date}}},
        Known{"vfat", "1A2B-3C4D", "ESP", true,
              {{82, "FAT32   "}, {67, "\x4d\x3c\x2b\x1a"}, {71, "ESP        "}, {510, "\x55\xaa"}}},
        Known{"vfat", "1A2B-3C4D", "", false,
              {{82, "FAT32   "}, {67, "\x4d\x3c\x2b\x1a"}, {71, "NO NAME    "}, {510, "\x55\xaa"}}},
        Known{"", "", "", true, {}}),
    [](const auto& one) { return "n" + std::to_string(one.index) + "_" + one.param.type; });

}  // namespace
}  // namespace vmpatch::guest::direct::test
