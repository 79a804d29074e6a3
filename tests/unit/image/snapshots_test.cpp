#include "image/snapshots.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/image/qcow2_bytes.hpp"
#include "unit/image/temp_dir.hpp"

namespace vmpatch::image {
namespace {

using test::Qcow2Bytes;
using test::snapshot_entry;
using test::TempDir;

Result<std::vector<InternalSnapshot>> snapshots_of(const std::string& bytes) {
  const TempDir dir;
  VMPATCH_TRY(const auto chain, Chain::open(dir.write("disk.qcow2", bytes), Format::qcow2, {}));
  return internal_snapshots(chain.top());
}

TEST(InternalSnapshots, an_image_without_a_table_has_none) {
  EXPECT_TRUE(snapshots_of(Qcow2Bytes{}.build()).value().empty());
}

TEST(InternalSnapshots, entries_with_short_and_long_memory_size_are_read) {
  Qcow2Bytes spec;
  spec.snapshot_table = snapshot_entry("1", "clean", 0, false) + snapshot_entry("22", "with memory", 1ULL << 33U, true) +
                        snapshot_entry("3", "old style", 4096, false);
  spec.snapshot_count = 3;
  const auto found = snapshots_of(spec.build());
  ASSERT_TRUE(found.has_value()) << found.error().message;
  ASSERT_EQ(found->size(), 3U);
  EXPECT_EQ((*found)[0].id, "1");
  EXPECT_EQ((*found)[0].name, "clean");
  EXPECT_EQ((*found)[0].vm_state_size, 0U);
  EXPECT_EQ((*found)[1].name, "with memory");
  EXPECT_EQ((*found)[1].vm_state_size, 1ULL << 33U);
  EXPECT_EQ((*found)[2].vm_state_size, 4096U);
}

TEST(InternalSnapshots, a_table_larger_than_the_first_read_is_read_whole) {
  Qcow2Bytes spec;
  const std::string name(60'000, 'n');
  spec.snapshot_table = snapshot_entry("1", name, 0, true) + snapshot_entry("2", name, 7, true);
  spec.snapshot_count = 2;
  const auto found = snapshots_of(spec.build());
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->at(1).vm_state_size, 7U);
}

TEST(InternalSnapshots, a_table_behind_the_end_of_the_file_is_refused) {
  Qcow2Bytes spec;
  spec.snapshot_table = snapshot_entry("1", std::string(65'400, 'n'), 0, true) + snapshot_entry("2", "x", 0, true);
  spec.snapshot_count = 3;
  auto bytes = spec.build();
  bytes.resize(4 * Qcow2Bytes::cluster + spec.snapshot_table.size());
  const auto found = snapshots_of(bytes);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, Errc::refused);
}

TEST(InternalSnapshots, an_extra_size_that_wraps_is_refused) {
  Qcow2Bytes spec;
  spec.snapshot_table = snapshot_entry("1", "x", 0, false);
  write_be<std::uint32_t>(spec.snapshot_table, 36, 0xffffffffU);
  spec.snapshot_count = 1;
  const auto found = snapshots_of(spec.build());
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, Errc::refused);
}

TEST(SnapshotView, an_l1_table_that_the_header_screen_refuses_is_refused) {
  for (const auto& [offset, entries] : {std::pair<std::uint64_t, std::uint32_t>{1ULL << 40U, 1}, {3 * Qcow2Bytes::cluster + 8, 1}, {3 * Qcow2Bytes::cluster, 0}, {0, 1}}) {
    Qcow2Bytes spec;
    spec.snapshot_table = snapshot_entry("1", "bad\n", 0, true);
    write_be<std::uint64_t>(spec.snapshot_table, 0, offset);
    write_be<std::uint32_t>(spec.snapshot_table, 8, entries);
    write_be<std::uint64_t>(spec.snapshot_table, 48, 1U << 20U);
    spec.snapshot_count = 1;
    const TempDir dir;
    OpenPolicy policy;
    policy.snapshot = "1";
    const auto chain = Chain::open(dir.write("disk.qcow2", spec.build()), Format::qcow2, policy);
    ASSERT_FALSE(chain.has_value()) << offset << " " << entries;
    EXPECT_EQ(chain.error().code, Errc::refused);
    EXPECT_THAT(chain.error().message, testing::HasSubstr("snapshot bad\\n of image"));
    EXPECT_THAT(chain.error().message, testing::HasSubstr("L1 table"));
  }
}

TEST(SnapshotView, a_raw_image_has_none) {
  const TempDir dir;
  OpenPolicy policy;
  policy.snapshot = "1";
  const auto chain = Chain::open(dir.write("disk.raw", std::string(1024, 'x')), Format::raw, policy);
  ASSERT_FALSE(chain.has_value());
  EXPECT_EQ(chain.error().code, Errc::not_found);
}

}  // namespace
}  // namespace vmpatch::image
