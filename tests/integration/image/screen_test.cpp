// The screen on images that QEMU's own tools make.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/image/qemu_tools.hpp"

namespace vmpatch::image {
namespace {

using namespace test;
using testing::HasSubstr;

void expect_refused(const fs::path& image, const std::string& part) {
  const auto chain = Chain::open(image, Format::qcow2, {});
  ASSERT_FALSE(chain.has_value()) << part;
  EXPECT_EQ(chain.error().code, Errc::refused);
  EXPECT_THAT(chain.error().message, HasSubstr(part));
  EXPECT_THAT(chain.error().message, HasSubstr(image.filename().native()));
}

TEST(Screen, images_of_qemu_img_with_common_options_pass) {
  const TempDir dir;
  for (const std::string options : {"compat=0.10", "compat=1.1", "cluster_size=512", "cluster_size=2M",
                                    "extended_l2=on,cluster_size=128k", "compression_type=zstd", "lazy_refcounts=on",
                                    "preallocation=metadata", "refcount_bits=64"}) {
    const auto image = dir / "x.qcow2";
    create_image(image, Format::qcow2, "100M", options);
    const auto chain = Chain::open(image, Format::qcow2, {});
    ASSERT_TRUE(chain.has_value()) << options << ": " << chain.error().message;
    EXPECT_EQ(chain->virtual_size(), 100U << 20U);
  }
}

TEST(Screen, a_very_large_empty_disk_passes) {
  const TempDir dir;
  create_image(dir / "x.qcow2", Format::qcow2, "60T");
  const auto chain = Chain::open(dir / "x.qcow2", Format::qcow2, {});
  EXPECT_TRUE(chain.has_value()) << chain.error().message;
}

TEST(Screen, an_external_data_file_is_refused) {
  const TempDir dir;
  create_image(dir / "x.qcow2", Format::qcow2, "10M", "data_file=" + (dir / "data.raw").native());
  expect_refused(dir / "x.qcow2", "external data file");
}

TEST(Screen, an_encrypted_image_is_refused) {
  const TempDir dir;
  must({"qemu-img", "create", "-q", "-f", "qcow2", "--object", "secret,id=s,data=abc", "-o",
        "encrypt.format=aes,encrypt.key-secret=s", (dir / "x.qcow2").native(), "10M"});
  expect_refused(dir / "x.qcow2", "encryption");
}

TEST(Screen, a_json_backing_name_is_refused) {
  const TempDir dir;
  must({"qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b",
        R"(json:{"driver":"raw","file":{"driver":"file","filename":"/etc/hostname"}})", (dir / "x.qcow2").native(), "10M"});
  expect_refused(dir / "x.qcow2", "protocol");
}

TEST(Screen, a_network_backing_name_is_refused) {
  const TempDir dir;
  must({"qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", "nbd://127.0.0.1:1/x",
        (dir / "x.qcow2").native(), "10M"});
  expect_refused(dir / "x.qcow2", "protocol");
}

TEST(Screen, a_foreign_backing_file_is_refused) {
  const TempDir dir;
  must({"qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", "/etc/hostname", (dir / "x.qcow2").native(),
        "10M"});
  expect_refused(dir / "x.qcow2", "outside the allowed folders");
}

TEST(Screen, internal_snapshots_of_qemu_are_read) {
  const TempDir dir;
  create_image(dir / "x.qcow2", Format::qcow2, "10M");
  must({"qemu-img", "snapshot", "-c", "first", (dir / "x.qcow2").native()});
  must({"qemu-img", "snapshot", "-c", "second one", (dir / "x.qcow2").native()});
  const auto chain = value_of(Chain::open(dir / "x.qcow2", Format::qcow2, {}));
  const auto snapshots = value_of(internal_snapshots(chain.top()));
  ASSERT_EQ(snapshots.size(), 2U);
  EXPECT_EQ(snapshots[0].name, "first");
  EXPECT_EQ(snapshots[1].name, "second one");
  EXPECT_EQ(snapshots[1].id, "2");
  EXPECT_EQ(snapshots[1].vm_state_size, 0U);
}

TEST(Screen, making_a_snapshot_changes_the_identity) {
  const TempDir dir;
  create_image(dir / "x.qcow2", Format::qcow2, "10M");
  const auto before = value_of(value_of(Chain::open(dir / "x.qcow2", Format::qcow2, {})).identity());
  must({"qemu-img", "snapshot", "-c", "first", (dir / "x.qcow2").native()});
  const auto after = value_of(value_of(Chain::open(dir / "x.qcow2", Format::qcow2, {})).identity());
  EXPECT_NE(before[0].header, after[0].header);
}

TEST(Screen, own_images_are_sound_to_qemu) {
  const TempDir dir;
  create_image(dir / "base.qcow2", Format::qcow2, "70G");
  const auto chain = value_of(Chain::open(dir / "base.qcow2", Format::qcow2, {}));
  for (const std::uint64_t size : {std::uint64_t{512}, std::uint64_t{70} << 30U, std::uint64_t{20} << 40U}) {
    const auto image = dir / "own.qcow2";
    value_of(create_own_image(image, size, nullptr));
    const auto check = run_tool({"qemu-img", "check", "-f", "qcow2", image.native()});
    EXPECT_EQ(check.exit_code, 0) << size << check.out << check.err;
    const auto info = run_tool({"qemu-img", "info", "--output=json", "-f", "qcow2", image.native()});
    EXPECT_THAT(info.out, HasSubstr("\"virtual-size\": " + std::to_string(size)));
    fs::remove(image);
  }
  value_of(create_own_image(dir / "overlay.qcow2", chain.virtual_size(), &chain.top()));
  const auto info = run_tool({"qemu-img", "info", "--output=json", "-f", "qcow2", (dir / "overlay.qcow2").native()});
  EXPECT_THAT(info.out, HasSubstr("\"backing-filename\": \"" + chain.top().path.native() + "\""));
  EXPECT_THAT(info.out, HasSubstr("\"backing-filename-format\": \"qcow2\""));
}

}  // namespace
}  // namespace vmpatch::image
