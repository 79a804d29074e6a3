// Partition tables that sfdisk wrote, and what damage does to them.
#include "guest/direct/partitions.hpp"

#include "integration/guest_direct/guest_images.hpp"

namespace vmpatch::guest::direct::test {
namespace {

constexpr std::uint64_t mib = 1U << 20U;

struct FileDisk {
  explicit FileDisk(const fs::path& file) : bytes(image::test::read_whole(file)) {}
  [[nodiscard]] Result<PartitionTable> table(std::uint32_t sector = 512) const {
    return read_partitions(
        bytes.size(),
        [this](std::uint64_t offset, std::size_t length) -> Result<std::string> {
          if (offset > bytes.size() || length > bytes.size() - offset) return fail(Errc::failed, "outside");
          return bytes.substr(static_cast<std::size_t>(offset), length);
        },
        sector);
  }
  std::string bytes;
};

FileDisk partitioned(const TempDir& dir, const std::string& script) {
  const fs::path disk = empty_disk(dir, "disk", 16 * mib);
  tool({"sfdisk", "-q", "--no-reread", "-f", disk}, script);
  return FileDisk(disk);
}

FileDisk gpt(const TempDir& dir) {
  return partitioned(
      dir, "label: gpt\n2: start=2048,size=2048,uuid=6A5C1F7E-0B1D-4E0C-9C1B-3D2E1F0A9B8C\n9: start=8192,size=4096,name=\"EFI gr\xc3\xbcn\"\n");
}

FileDisk logical(const TempDir& dir) {
  return partitioned(
      dir,
      "label: dos\nlabel-id: 0x0000abcd\n1: start=2048,size=2048,type=83\n2: start=4096,size=16384,type=f\n"
      "5: start=6144,size=2048,type=83\n6: start=10240,size=2048,type=83\n7: start=14336,size=2048,type=82\n");
}

TEST(Gpt, partitions_are_those_that_sfdisk_wrote) {
  const TempDir dir;
  const auto table = gpt(dir).table();
  ASSERT_TRUE(table.has_value()) << table.error().message;
  EXPECT_EQ(table->kind, PartitionTable::Kind::gpt);
  ASSERT_EQ(table->partitions.size(), 2U);
  EXPECT_EQ(table->partitions[0].number, 2U);
  EXPECT_EQ(table->partitions[0].offset, mib);
  EXPECT_EQ(table->partitions[0].length, mib);
  EXPECT_EQ(table->partitions[0].part_uuid, "6a5c1f7e-0b1d-4e0c-9c1b-3d2e1f0a9b8c");
  EXPECT_EQ(table->partitions[0].part_label, "");
  EXPECT_EQ(table->partitions[1].number, 9U);
  EXPECT_EQ(table->partitions[1].part_label, "EFI gr\xc3\xbcn");
}

TEST(Gpt, copy_at_the_end_is_read_when_header_or_entries_are_damaged) {
  const TempDir dir;
  for (const std::size_t at : {512U + 40U, 1024U + 128U + 32U}) {
    FileDisk disk = gpt(dir);
    disk.bytes[at] = static_cast<char>(disk.bytes[at] ^ 1);
    const auto table = disk.table();
    ASSERT_TRUE(table.has_value()) << table.error().message;
    EXPECT_EQ(table->partitions.size(), 2U);
    EXPECT_EQ(table->partitions[0].offset, mib);
  }
}

TEST(Gpt, two_damaged_copies_fail) {
  const TempDir dir;
  FileDisk disk = gpt(dir);
  disk.bytes[512 + 40] = 'x';
  disk.bytes[disk.bytes.size() - 512 + 40] = 'x';
  EXPECT_EQ(code_of(disk.table()), Errc::failed);
}

TEST(Gpt, partition_behind_the_end_of_a_cut_disk_fails) {
  const TempDir dir;
  FileDisk disk = gpt(dir);
  disk.bytes.resize(4 * mib);
  const auto table = disk.table();
  ASSERT_EQ(code_of(table), Errc::failed);
  EXPECT_NE(table.error().message.find("cut off"), std::string::npos) << table.error().message;
}

TEST(Gpt, sectors_of_4096_bytes_are_found_by_the_place_of_the_header) {
  const FileDisk corpus(fs::path(VMPATCH_SOURCE_DIR) / "tests/fuzz/corpus/partitions/gpt-4096");
  FileDisk disk = corpus;
  disk.bytes.resize(4 * mib);
  const auto table = disk.table();
  ASSERT_TRUE(table.has_value()) << table.error().message;
  EXPECT_EQ(table->sector_size, 4096U);
  ASSERT_EQ(table->partitions.size(), 1U);
  EXPECT_EQ(table->partitions[0].offset, mib);
  EXPECT_EQ(table->partitions[0].length, mib);
}

TEST(Mbr, logical_partitions_are_numbered_from_5) {
  const TempDir dir;
  const auto table = logical(dir).table();
  ASSERT_TRUE(table.has_value()) << table.error().message;
  EXPECT_EQ(table->kind, PartitionTable::Kind::mbr);
  std::vector<std::string> found;
  for (const Partition& p : table->partitions)
    found.push_back(fmt::format("{} {} {} {}", p.number, p.offset / 512, p.length / 512, p.part_uuid));
  EXPECT_EQ(found, (std::vector<std::string>{"1 2048 2048 0000abcd-01", "5 6144 2048 0000abcd-05",
                                             "6 10240 2048 0000abcd-06", "7 14336 2048 0000abcd-07"}));
}

TEST(Mbr, logical_chain_that_loops_fails) {
  const FileDisk corpus(fs::path(VMPATCH_SOURCE_DIR) / "tests/fuzz/corpus/partitions/mbr-logical-loop");
  FileDisk disk = corpus;
  disk.bytes.resize(mib);
  const auto table = disk.table();
  ASSERT_EQ(code_of(table), Errc::failed);
  EXPECT_NE(table.error().message.find("loops"), std::string::npos) << table.error().message;
}

TEST(Mbr, logical_chain_that_leaves_the_disk_fails) {
  const TempDir dir;
  FileDisk disk = logical(dir);
  disk.bytes.resize(4 * mib);
  EXPECT_EQ(code_of(disk.table()), Errc::failed);
}

TEST(Mbr, sectors_of_4096_bytes_are_counted_when_asked_for) {
  const TempDir dir;
  const auto table = partitioned(dir, "label: dos\n1: start=256,size=1024\n").table(4096);
  ASSERT_TRUE(table.has_value()) << table.error().message;
  ASSERT_EQ(table->partitions.size(), 1U);
  EXPECT_EQ(table->partitions[0].offset, mib);
}

TEST(Mbr, disks_without_a_table_have_none) {
  const TempDir dir;
  EXPECT_EQ(
      FileDisk(empty_disk(dir, "zeros", mib)).table().value_or(PartitionTable{PartitionTable::Kind::gpt, 0, {}}).kind,
      PartitionTable::Kind::none);
  EXPECT_TRUE(FileDisk(empty_disk(dir, "nothing", 0)).table().has_value());
}

TEST(Crc32, is_that_of_the_published_check_value) { EXPECT_EQ(crc32("123456789"), 0xcbf43926U); }

}  // namespace
}  // namespace vmpatch::guest::direct::test
