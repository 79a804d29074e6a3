#include "vmpatch/image/chain.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "unit/image/qcow2_bytes.hpp"
#include "unit/image/temp_dir.hpp"

namespace vmpatch::image {
namespace {

using test::Qcow2Bytes;
using test::TempDir;
using testing::AllOf;
using testing::HasSubstr;

std::string qcow2_on(const std::string& backing, std::optional<std::string> format = "qcow2") {
  Qcow2Bytes spec;
  spec.backing = backing;
  spec.backing_format = std::move(format);
  return spec.build();
}

class ChainTest : public testing::Test {
 protected:
  void expect_error(const fs::path& image, Format format, const OpenPolicy& policy, Errc code,
                    const std::vector<std::string>& parts) {
    const auto chain = Chain::open(image, format, policy);
    ASSERT_FALSE(chain.has_value());
    EXPECT_EQ(chain.error().code, code) << chain.error().message;
    for (const auto& part : parts) EXPECT_THAT(chain.error().message, HasSubstr(part));
  }

  TempDir dir_;
};

TEST_F(ChainTest, a_single_raw_image_has_its_file_size) {
  const auto path = dir_.write("disk.raw", std::string(8192, 'x'));
  const auto chain = Chain::open(path, Format::raw, {});
  ASSERT_TRUE(chain.has_value()) << chain.error().message;
  ASSERT_EQ(chain->layers().size(), 1U);
  EXPECT_EQ(chain->virtual_size(), 8192U);
  EXPECT_EQ(chain->top().path, path);
  EXPECT_FALSE(chain->top().block_device);
  EXPECT_FALSE(chain->top().header.has_value());
}

TEST_F(ChainTest, a_raw_disk_stays_raw_whatever_its_first_bytes_say) {
  const auto path = dir_.write("disk.raw", qcow2_on("/etc/shadow", "raw"));
  const auto chain = Chain::open(path, Format::raw, {});
  ASSERT_TRUE(chain.has_value()) << chain.error().message;
  EXPECT_EQ(chain->layers().size(), 1U);
  EXPECT_EQ(chain->virtual_size(), 5 * Qcow2Bytes::cluster);
}

TEST_F(ChainTest, relative_names_resolve_against_the_file_that_names_them) {
  dir_.write("base.raw", std::string(1U << 20U, 'x'));
  dir_.write("sub/mid.qcow2", qcow2_on("../base.raw", "raw"));
  const auto top = dir_.write("top.qcow2", qcow2_on("sub/mid.qcow2"));
  OpenPolicy policy;
  policy.allowed_dirs = {dir_ / "sub"};
  const auto chain = Chain::open(top, Format::qcow2, policy);
  ASSERT_TRUE(chain.has_value()) << chain.error().message;
  ASSERT_EQ(chain->layers().size(), 3U);
  EXPECT_EQ(chain->layers()[1].path, dir_ / "sub/mid.qcow2");
  EXPECT_EQ(chain->layers()[2].path, dir_ / "base.raw");
  EXPECT_EQ(chain->layers()[2].format, Format::raw);
}

TEST_F(ChainTest, a_missing_image_is_not_found) {
  expect_error(dir_ / "none.raw", Format::raw, {}, Errc::not_found, {"none.raw"});
  expect_error(dir_ / "none/none.raw", Format::raw, {}, Errc::not_found, {"none.raw"});
}

TEST_F(ChainTest, a_missing_backing_file_is_not_found_and_names_the_layer) {
  const auto top = dir_.write("top.qcow2", qcow2_on("gone.qcow2"));
  expect_error(top, Format::qcow2, {}, Errc::not_found, {"top.qcow2", "gone.qcow2"});
}

TEST_F(ChainTest, a_symlink_is_refused_and_its_target_named) {
  dir_.write("disk.raw", std::string(4096, 'x'));
  fs::create_symlink("disk.raw", dir_ / "link.raw");
  expect_error(dir_ / "link.raw", Format::raw, {}, Errc::refused, {"link.raw is a symlink to disk.raw"});
}

TEST_F(ChainTest, a_symlink_as_backing_file_is_refused) {
  fs::create_symlink("/etc/passwd", dir_ / "base.raw");
  const auto top = dir_.write("top.qcow2", qcow2_on("base.raw", "raw"));
  expect_error(top, Format::qcow2, {}, Errc::refused, {"top.qcow2", "symlink to /etc/passwd"});
}

TEST_F(ChainTest, a_folder_that_is_a_symlink_is_resolved_first) {
  const auto path = dir_.write("real/disk.raw", std::string(4096, 'x'));
  fs::create_directory_symlink("real", dir_ / "alias");
  const auto chain = Chain::open(dir_ / "alias/disk.raw", Format::raw, {});
  ASSERT_TRUE(chain.has_value()) << chain.error().message;
  EXPECT_EQ(chain->top().path, path);
}

TEST_F(ChainTest, folders_fifos_and_character_devices_are_refused) {
  ASSERT_EQ(::mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  fs::create_directory(dir_ / "folder");
  expect_error(dir_ / "fifo", Format::raw, {}, Errc::refused, {"neither a regular file nor a block device"});
  expect_error(dir_ / "folder", Format::raw, {}, Errc::refused, {"neither a regular file nor a block device"});
  expect_error("/dev/null", Format::raw, {}, Errc::refused, {"neither a regular file nor a block device"});
}

TEST_F(ChainTest, a_backing_file_outside_the_allowed_folders_is_refused) {
  const TempDir elsewhere;
  const auto base = elsewhere.write("base.raw", std::string(1U << 20U, 'x'));
  const auto top = dir_.write("top.qcow2", qcow2_on(base.native(), "raw"));
  expect_error(top, Format::qcow2, {}, Errc::refused, {"top.qcow2", base.native(), "outside the allowed folders"});
  OpenPolicy policy;
  policy.allowed_dirs = {elsewhere.path()};
  EXPECT_TRUE(Chain::open(top, Format::qcow2, policy).has_value());
}

TEST_F(ChainTest, a_folder_that_only_begins_like_an_allowed_one_is_refused) {
  dir_.write("pool-private/base.raw", std::string(1U << 20U, 'x'));
  fs::create_directory(dir_ / "pool");
  const auto top = dir_.write("images/top.qcow2", qcow2_on("../pool-private/base.raw", "raw"));
  OpenPolicy policy;
  policy.allowed_dirs = {dir_ / "pool"};
  expect_error(top, Format::qcow2, policy, Errc::refused, {"outside the allowed folders"});
}

TEST_F(ChainTest, dots_do_not_lead_out_of_the_allowed_folder) {
  dir_.write("secret.raw", std::string(1U << 20U, 'x'));
  const auto top = dir_.write("images/top.qcow2", qcow2_on((dir_ / "images/../secret.raw").native(), "raw"));
  expect_error(top, Format::qcow2, {}, Errc::refused, {"outside the allowed folders"});
}

TEST_F(ChainTest, a_backing_file_without_format_is_refused_with_the_remedy) {
  dir_.write("base.qcow2", Qcow2Bytes{}.build());
  const auto top = dir_.write("top.qcow2", qcow2_on("base.qcow2", std::nullopt));
  expect_error(top, Format::qcow2, {}, Errc::refused, {"top.qcow2", "without its format", "qemu-img rebase -u -F"});
}

TEST_F(ChainTest, a_backing_format_other_than_raw_and_qcow2_is_refused) {
  dir_.write("base.vmdk", "x");
  const auto top = dir_.write("top.qcow2", qcow2_on("base.vmdk", "vmdk"));
  expect_error(top, Format::qcow2, {}, Errc::refused, {"top.qcow2", "vmdk"});
}

TEST_F(ChainTest, an_image_that_backs_itself_is_refused) {
  const auto self = dir_.write("self.qcow2", qcow2_on("self.qcow2"));
  expect_error(self, Format::qcow2, {}, Errc::refused, {"loop"});
}

TEST_F(ChainTest, a_loop_through_a_hard_link_is_refused) {
  const auto a = dir_.write("a.qcow2", qcow2_on("b.qcow2"));
  fs::create_hard_link(a, dir_ / "b.qcow2");
  expect_error(a, Format::qcow2, {}, Errc::refused, {"loop"});
}

TEST_F(ChainTest, too_many_layers_are_refused) {
  dir_.write("l0.qcow2", Qcow2Bytes{}.build());
  for (int i = 1; i <= 3; ++i) {
    dir_.write("l" + std::to_string(i) + ".qcow2", qcow2_on("l" + std::to_string(i - 1) + ".qcow2"));
  }
  OpenPolicy policy;
  policy.max_layers = 4;
  EXPECT_TRUE(Chain::open(dir_ / "l3.qcow2", Format::qcow2, policy).has_value());
  policy.max_layers = 3;
  expect_error(dir_ / "l3.qcow2", Format::qcow2, policy, Errc::refused, {"more than 3 layers"});
}

TEST_F(ChainTest, size_limits_hold_for_raw_and_qcow2) {
  OpenPolicy policy;
  policy.max_virtual_size = 4096;
  expect_error(dir_.write("a.raw", std::string(8192, 'x')), Format::raw, policy, Errc::refused, {"above the limit"});
  expect_error(dir_.write("a.qcow2", Qcow2Bytes{}.build()), Format::qcow2, policy, Errc::refused, {"above the limit"});
  expect_error(dir_.write("empty.raw", ""), Format::raw, {}, Errc::refused, {"empty"});
  expect_error(dir_.write("odd.raw", std::string(1000, 'x')), Format::raw, {}, Errc::refused, {"multiple of 512"});
}

TEST_F(ChainTest, a_refused_header_names_the_layer) {
  auto bytes = Qcow2Bytes{}.build();
  write_be<std::uint64_t>(bytes, qcow2::at_incompatible, 4);
  dir_.write("base.qcow2", bytes);
  const auto top = dir_.write("top.qcow2", qcow2_on("base.qcow2"));
  expect_error(top, Format::qcow2, {}, Errc::refused, {"base.qcow2", "external data file"});
}

TEST_F(ChainTest, the_configured_chain_must_agree_with_the_headers) {
  const auto base = dir_.write("base.qcow2", Qcow2Bytes{}.build());
  const auto other = dir_.write("other.qcow2", Qcow2Bytes{}.build());
  const auto top = dir_.write("top.qcow2", qcow2_on("base.qcow2"));
  using Configured = std::vector<std::pair<fs::path, Format>>;
  OpenPolicy policy;
  policy.configured = Configured{{base, Format::qcow2}};
  EXPECT_TRUE(Chain::open(top, Format::qcow2, policy).has_value());
  policy.configured = Configured{{other, Format::qcow2}};
  expect_error(top, Format::qcow2, policy, Errc::refused, {"base.qcow2", "other.qcow2", "XML"});
  policy.configured = Configured{{base, Format::raw}};
  expect_error(top, Format::qcow2, policy, Errc::refused, {"(qcow2)", "(raw)"});
  policy.configured = Configured{};
  expect_error(top, Format::qcow2, policy, Errc::refused, {"configures none"});
  policy.configured = Configured{{base, Format::qcow2}, {other, Format::qcow2}};
  expect_error(top, Format::qcow2, policy, Errc::refused, {"no backing file"});
}

TEST_F(ChainTest, the_top_opens_for_writing_while_it_is_the_same_file) {
  const auto path = dir_.write("disk.raw", std::string(4096, 'x'));
  const auto chain = Chain::open(path, Format::raw, {});
  ASSERT_TRUE(chain.has_value());
  const auto writable = chain->open_top_writable();
  ASSERT_TRUE(writable.has_value()) << writable.error().message;
  EXPECT_EQ(::fcntl(writable->get(), F_GETFL) & O_ACCMODE, O_RDWR);
}

TEST_F(ChainTest, a_top_that_was_replaced_is_not_opened_for_writing) {
  const auto path = dir_.write("disk.raw", std::string(4096, 'x'));
  const auto chain = Chain::open(path, Format::raw, {});
  ASSERT_TRUE(chain.has_value());
  fs::rename(dir_.write("new.raw", std::string(4096, 'y')), path);
  const auto writable = chain->open_top_writable();
  ASSERT_FALSE(writable.has_value());
  EXPECT_EQ(writable.error().code, Errc::refused);
  EXPECT_THAT(writable.error().message, HasSubstr("replaced"));
}

TEST_F(ChainTest, identity_has_every_layer_top_first) {
  dir_.write("base.raw", std::string(1U << 20U, 'x'));
  const auto top = dir_.write("top.qcow2", qcow2_on("base.raw", "raw"));
  const auto chain = Chain::open(top, Format::qcow2, {});
  ASSERT_TRUE(chain.has_value()) << chain.error().message;
  const auto identity = chain->identity();
  ASSERT_TRUE(identity.has_value());
  ASSERT_EQ(identity->size(), 2U);
  EXPECT_EQ((*identity)[0].path, top.native());
  EXPECT_NE((*identity)[0].header, sha256(""));
  EXPECT_EQ((*identity)[1].header, sha256(""));
  EXPECT_TRUE(matches(*identity, chain->identity().value()));
}

}  // namespace
}  // namespace vmpatch::image
