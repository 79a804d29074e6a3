#include "vmpatch/image/header.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "unit/image/qcow2_bytes.hpp"

namespace vmpatch::image {
namespace {

using test::Qcow2Bytes;
using testing::HasSubstr;

constexpr std::uint64_t limit = 1ULL << 40U;

Result<Qcow2Header> parse(const std::string& bytes) { return parse_qcow2_header(bytes, bytes.size(), limit); }

void expect_refused(const std::string& bytes, const std::string& part) {
  const auto header = parse(bytes);
  ASSERT_FALSE(header.has_value()) << "expected: " << part;
  EXPECT_EQ(header.error().code, Errc::refused);
  EXPECT_THAT(header.error().message, HasSubstr(part));
}

template <class T>
std::string with(std::size_t offset, T value, Qcow2Bytes spec = {}) {
  auto bytes = spec.build();
  write_be<T>(bytes, offset, value);
  return bytes;
}

TEST(Format, raw_and_qcow2_are_known) {
  EXPECT_EQ(parse_format("raw").value(), Format::raw);
  EXPECT_EQ(parse_format("qcow2").value(), Format::qcow2);
  EXPECT_EQ(to_string(Format::raw), "raw");
  EXPECT_EQ(to_string(Format::qcow2), "qcow2");
}

TEST(Format, other_formats_are_refused_with_the_remedy) {
  for (const auto* text : {"vmdk", "QCOW2", "", "qcow2 ", "raw\n"}) {
    const auto format = parse_format(text);
    ASSERT_FALSE(format.has_value()) << text;
    EXPECT_EQ(format.error().code, Errc::refused);
    EXPECT_THAT(format.error().message, HasSubstr("qemu-img convert"));
  }
}

TEST(Qcow2Header, a_plain_version_3_image_is_read) {
  const auto header = parse(Qcow2Bytes{}.build());
  ASSERT_TRUE(header.has_value()) << header.error().message;
  EXPECT_EQ(header->version, 3U);
  EXPECT_EQ(header->cluster_bits, 16U);
  EXPECT_EQ(header->virtual_size, 1U << 20U);
  EXPECT_EQ(header->backing_name, "");
  EXPECT_FALSE(header->backing_format.has_value());
  EXPECT_EQ(header->snapshot_count, 0U);
}

TEST(Qcow2Header, a_version_2_image_is_read) {
  Qcow2Bytes spec;
  spec.version = 2;
  spec.backing = "base.qcow2";
  spec.backing_format = "qcow2";
  const auto header = parse(spec.build());
  ASSERT_TRUE(header.has_value()) << header.error().message;
  EXPECT_EQ(header->version, 2U);
  EXPECT_EQ(header->backing_name, "base.qcow2");
  EXPECT_EQ(header->backing_format, "qcow2");
}

TEST(Qcow2Header, backing_name_and_format_are_read) {
  Qcow2Bytes spec;
  spec.backing = "dir/a:b.qcow2";
  spec.backing_format = "raw";
  const auto header = parse(spec.build());
  ASSERT_TRUE(header.has_value()) << header.error().message;
  EXPECT_EQ(header->backing_name, "dir/a:b.qcow2");
  EXPECT_EQ(header->backing_format, "raw");
}

TEST(Qcow2Header, feature_table_and_bitmaps_are_skipped) {
  Qcow2Bytes spec;
  spec.extensions = {{0x6803f857U, std::string(96, 'f')}, {0x23852875U, std::string(24, '\1')}};
  EXPECT_TRUE(parse(spec.build()).has_value());
}

TEST(Qcow2Header, other_content_is_refused) {
  expect_refused("", "not a qcow2 image");
  expect_refused(std::string(100, 'x'), "not a qcow2 image");
  expect_refused(std::string(65536, '\0'), "not a qcow2 image");
}

TEST(Qcow2Header, a_cut_off_header_is_refused) {
  expect_refused(Qcow2Bytes{}.build().substr(0, 71), "not a qcow2 image");
  expect_refused(Qcow2Bytes{}.build().substr(0, 103), "cut off");
}

TEST(Qcow2Header, unknown_versions_are_refused) {
  for (const std::uint32_t version : {0U, 1U, 4U, 0xffffffffU}) {
    expect_refused(with<std::uint32_t>(qcow2::at_version, version), "version");
  }
}

TEST(Qcow2Header, encryption_is_refused) {
  expect_refused(with<std::uint32_t>(qcow2::at_crypt_method, 1), "encryption");
  expect_refused(with<std::uint32_t>(qcow2::at_crypt_method, 2), "encryption");
  Qcow2Bytes spec;
  spec.extensions = {{qcow2::extension_encryption, std::string(16, '\0')}};
  expect_refused(spec.build(), "encryption");
}

TEST(Qcow2Header, an_external_data_file_is_refused_by_bit_and_by_extension) {
  expect_refused(with<std::uint64_t>(qcow2::at_incompatible, 4), "external data file");
  Qcow2Bytes spec;
  spec.extensions = {{qcow2::extension_data_file, "/etc/shadow"}};
  expect_refused(spec.build(), "external data file");
}

TEST(Qcow2Header, corrupt_and_dirty_images_are_refused) {
  expect_refused(with<std::uint64_t>(qcow2::at_incompatible, 2), "corrupt");
  expect_refused(with<std::uint64_t>(qcow2::at_incompatible, 1), "dirty");
}

TEST(Qcow2Header, unknown_incompatible_bits_are_refused) {
  for (unsigned bit = 5; bit < 64; ++bit) {
    expect_refused(with<std::uint64_t>(qcow2::at_incompatible, 1ULL << bit), "not known");
  }
}

TEST(Qcow2Header, unknown_compatible_bits_are_ignored) {
  EXPECT_TRUE(parse(with<std::uint64_t>(qcow2::at_compatible, ~0ULL)).has_value());
}

TEST(Qcow2Header, known_compression_types_pass_and_others_are_refused) {
  auto bytes = with<std::uint64_t>(qcow2::at_incompatible, 8);
  expect_refused(bytes, "compression type");
  write_be<std::uint32_t>(bytes, qcow2::at_header_length, 112);
  bytes[qcow2::at_compression_type] = 1;
  EXPECT_TRUE(parse(bytes).has_value());
  bytes[qcow2::at_compression_type] = 2;
  expect_refused(bytes, "compression type");
}

TEST(Qcow2Header, extended_l2_entries_need_large_clusters) {
  EXPECT_TRUE(parse(with<std::uint64_t>(qcow2::at_incompatible, 16)).has_value());
  auto bytes = with<std::uint64_t>(qcow2::at_incompatible, 16);
  write_be<std::uint32_t>(bytes, qcow2::at_cluster_bits, 13);
  expect_refused(bytes, "extended L2");
}

TEST(Qcow2Header, impossible_cluster_sizes_are_refused) {
  for (const std::uint32_t bits : {0U, 8U, 22U, 63U, 64U, 0xffffffffU}) {
    expect_refused(with<std::uint32_t>(qcow2::at_cluster_bits, bits), "cluster size");
  }
}

TEST(Qcow2Header, virtual_size_is_bounded) {
  expect_refused(with<std::uint64_t>(qcow2::at_virtual_size, 0), "virtual size is 0");
  expect_refused(with<std::uint64_t>(qcow2::at_virtual_size, limit + 1), "above the limit");
  expect_refused(with<std::uint64_t>(qcow2::at_virtual_size, ~0ULL), "above the limit");
  const auto huge = with<std::uint64_t>(qcow2::at_virtual_size, ~0ULL);
  EXPECT_FALSE(parse_qcow2_header(huge, huge.size(), ~0ULL).has_value());
}

TEST(Qcow2Header, an_l1_table_that_cannot_map_the_disk_is_refused) {
  expect_refused(with<std::uint32_t>(qcow2::at_l1_size, 0), "L1 table");
  expect_refused(with<std::uint64_t>(qcow2::at_virtual_size, (512ULL << 20U) + 512), "L1 table");
  expect_refused(with<std::uint32_t>(qcow2::at_l1_size, (4U << 20U) + 1), "L1 table");
}

TEST(Qcow2Header, tables_outside_the_file_are_refused) {
  const std::uint64_t cluster = Qcow2Bytes::cluster;
  for (const std::uint64_t offset : {std::uint64_t{0}, 5 * cluster, 3 * cluster + 8, UINT64_MAX, UINT64_MAX - cluster + 1}) {
    expect_refused(with<std::uint64_t>(qcow2::at_l1_offset, offset), "L1 table");
    expect_refused(with<std::uint64_t>(qcow2::at_refcount_offset, offset), "refcount table");
  }
  expect_refused(with<std::uint32_t>(qcow2::at_refcount_clusters, 0), "refcount table");
  expect_refused(with<std::uint32_t>(qcow2::at_refcount_clusters, 5), "refcount table");
  expect_refused(with<std::uint32_t>(qcow2::at_refcount_clusters, 0xffffffffU), "refcount table");
  auto bytes = with<std::uint32_t>(qcow2::at_snapshot_count, 1);
  expect_refused(bytes, "snapshot table");
  write_be<std::uint32_t>(bytes, qcow2::at_snapshot_count, 65537);
  expect_refused(bytes, "internal snapshots");
}

TEST(Qcow2Header, impossible_refcount_order_is_refused) {
  expect_refused(with<std::uint32_t>(qcow2::at_refcount_order, 7), "refcount order");
}

TEST(Qcow2Header, impossible_header_length_is_refused) {
  for (const std::uint32_t length : {0U, 72U, 105U, 65544U, 0xfffffff8U}) {
    expect_refused(with<std::uint32_t>(qcow2::at_header_length, length), "header length");
  }
}

TEST(Qcow2Header, backing_name_length_is_bounded) {
  Qcow2Bytes spec;
  spec.backing = std::string(1023, 'a');
  EXPECT_TRUE(parse(spec.build()).has_value());
  spec.backing = std::string(1024, 'a');
  expect_refused(spec.build(), "longer than 1023");
}

TEST(Qcow2Header, a_backing_name_outside_the_header_is_refused) {
  Qcow2Bytes spec;
  spec.backing = "base";
  for (const std::uint64_t offset : {std::uint64_t{8}, std::uint64_t{65536}, std::uint64_t{65533}, UINT64_MAX}) {
    expect_refused(with<std::uint64_t>(qcow2::at_backing_offset, offset, spec), "backing name");
  }
}

TEST(Qcow2Header, nul_in_a_backing_name_is_refused) {
  Qcow2Bytes spec;
  spec.backing = std::string("base\0x", 6);
  expect_refused(spec.build(), "NUL");
}

TEST(Qcow2Header, backing_names_with_a_protocol_are_refused) {
  for (const auto* name : {"json:{\"driver\":\"file\"}", "nbd:localhost:10809", "nbd://h/x", "file:/etc/shadow", "a:b/c",
                           ":x", "fat:rw:/", "http://h/x"}) {
    Qcow2Bytes spec;
    spec.backing = name;
    spec.backing_format = "qcow2";
    expect_refused(spec.build(), "protocol");
  }
}

TEST(Qcow2Header, hostile_backing_names_are_escaped_in_the_message) {
  Qcow2Bytes spec;
  spec.backing = "nbd:\x1b[2J";
  const auto header = parse(spec.build());
  ASSERT_FALSE(header.has_value());
  EXPECT_EQ(header.error().message.find('\x1b'), std::string::npos);
}

TEST(Qcow2Header, extensions_that_overrun_are_refused) {
  auto bytes = Qcow2Bytes{}.build();
  write_be<std::uint32_t>(bytes, 104, 0x6803f857U);
  write_be<std::uint32_t>(bytes, 108, 65536);
  expect_refused(bytes, "overruns");
  write_be<std::uint32_t>(bytes, 108, 0xffffffffU);
  expect_refused(bytes, "overruns");
}

TEST(Qcow2Header, an_extension_that_runs_into_the_backing_name_is_refused) {
  Qcow2Bytes spec;
  spec.backing = "base";
  spec.backing_format = "qcow2";
  expect_refused(with<std::uint32_t>(108, 100, spec), "overruns");
}

TEST(Qcow2Header, two_backing_formats_are_refused) {
  Qcow2Bytes spec;
  spec.backing_format = "raw";
  spec.extensions = {{qcow2::extension_backing_format, "qcow2"}};
  expect_refused(spec.build(), "two backing formats");
}

TEST(Qcow2Header, every_prefix_of_a_valid_image_is_read_or_refused) {
  Qcow2Bytes spec;
  spec.backing = "base.qcow2";
  spec.backing_format = "qcow2";
  const auto bytes = spec.build();
  for (std::size_t length = 0; length < 256; ++length) {
    const auto header = parse_qcow2_header(std::string_view(bytes).substr(0, length), bytes.size(), limit);
    EXPECT_EQ(header.has_value(), length >= 138) << length;
  }
}

}  // namespace
}  // namespace vmpatch::image
