#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/image/qemu_tools.hpp"

namespace vmpatch::image {
namespace {

using namespace test;
using testing::HasSubstr;

struct Kind {
  const char* name;
  const char* options;
};

class SnapshotViewTest : public testing::TestWithParam<Kind> {
 protected:
  void make_image() {
    create_image(dir_ / "base.qcow2", Format::qcow2, "12M");
    write_image(dir_ / "base.qcow2", Format::qcow2, {"write -P 9 0 12M"});
    must({"qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "base.qcow2", "-o", GetParam().options, image_.native()});
    write_image(image_, Format::qcow2, {"write -P 1 0 3M", "write -P 2 5M 1M"});
    snapshot("first");
    write_image(image_, Format::qcow2, {"write -P 3 1M 7M", "write -z 2M 1M"});
    snapshot("second");
    write_image(image_, Format::qcow2, {"write -P 4 0 9M", "discard 9M 1M"});
  }
  void snapshot(const std::string& name) { must({"qemu-img", "snapshot", "-c", name, image_.native()}); }
  std::vector<InternalSnapshot> snapshots() { return value_of(internal_snapshots(value_of(Chain::open(image_, Format::qcow2, {})).top())); }
  /// By QEMU's own tool.
  fs::path expected(const std::string& name) {
    const auto raw = dir_ / (name + ".raw");
    must({"qemu-img", "convert", "-f", "qcow2", "-l", "snapshot.name=" + name, "-O", "raw", image_.native(), raw.native()});
    return raw;
  }
  Result<Chain> open_at(const std::string& id) {
    OpenPolicy policy;
    policy.snapshot = id;
    return Chain::open(image_, Format::qcow2, policy);
  }

  TempDir dir_;
  fs::path image_ = dir_ / "disk.qcow2";
};

TEST_P(SnapshotViewTest, a_snapshot_is_served_as_the_disk_was_and_the_image_is_not_touched) {
  make_image();
  const auto before = file_digest(image_);
  for (const bool reading : {true, false}) {
    auto server = value_of(BlockServer::start({dir_ / (reading ? "s1" : "s2"), -1, reading}));
    for (const auto& snapshot : snapshots()) {
      const auto chain = value_of(open_at(snapshot.id));
      const auto disk = value_of(server.export_chain(chain, snapshot.id));
      EXPECT_EQ(disk.size, 12U << 20U);
      EXPECT_TRUE(same_content(expected(snapshot.name), Format::raw, disk.uri(), Format::raw)) << snapshot.name;
      EXPECT_FALSE(same_content(image_, Format::qcow2, disk.uri(), Format::raw)) << snapshot.name;
    }
    expect_ok(server.stop());
  }
  EXPECT_EQ(file_digest(image_), before);
}

INSTANTIATE_TEST_SUITE_P(Images, SnapshotViewTest,
                         testing::Values(Kind{"plain", "cluster_size=64k"}, Kind{"version_2", "compat=0.10"},
                                         Kind{"tiny_clusters", "cluster_size=512"}, Kind{"huge_clusters", "cluster_size=2M"},
                                         Kind{"extended_l2", "extended_l2=on,cluster_size=64k"}),
                         [](const auto& about) { return std::string(about.param.name); });

class OneSnapshotTest : public SnapshotViewTest {};
INSTANTIATE_TEST_SUITE_P(Image, OneSnapshotTest, testing::Values(Kind{"plain", "cluster_size=64k"}),
                         [](const auto& about) { return std::string(about.param.name); });

TEST_P(OneSnapshotTest, a_disk_that_was_smaller_then_has_its_old_size) {
  create_image(image_, Format::qcow2, "2M");
  write_image(image_, Format::qcow2, {"write -P 5 0 2M"});
  snapshot("small");
  // qemu-img refuses to shrink an image with snapshots, and grows it.
  must({"qemu-img", "resize", "-q", "-f", "qcow2", image_.native(), "8M"});
  const auto chain = value_of(open_at(snapshots().at(0).id));
  EXPECT_EQ(chain.virtual_size(), 2U << 20U);
  auto server = value_of(BlockServer::start({dir_ / "s", -1, true}));
  const auto disk = value_of(server.export_chain(chain, "vda"));
  create_image(dir_ / "then.raw", Format::raw, "2M");
  write_image(dir_ / "then.raw", Format::raw, {"write -P 5 0 2M"});
  EXPECT_TRUE(same_content(dir_ / "then.raw", Format::raw, disk.uri(), Format::raw));
}

TEST_P(OneSnapshotTest, what_would_write_it_is_refused) {
  make_image();
  const auto chain = value_of(open_at("1"));
  const auto writable = chain.open_top_writable();
  ASSERT_FALSE(writable);
  EXPECT_EQ(writable.error().code, Errc::refused);
  auto server = value_of(BlockServer::start({dir_ / "s", -1}));
  const auto overlay = value_of(create_own_image(dir_ / "overlay.qcow2", chain.virtual_size(), &chain.top()));
  for (const bool writes : {true, false}) {
    const auto served = server.export_overlay(chain, overlay, "vda", writes);
    ASSERT_FALSE(served);
    EXPECT_THAT(served.error().message, HasSubstr("only read"));
  }
}

TEST_P(OneSnapshotTest, an_id_that_is_not_there_is_not_found) {
  make_image();
  const auto chain = open_at("7\n");
  ASSERT_FALSE(chain);
  EXPECT_EQ(chain.error().code, Errc::not_found);
  EXPECT_THAT(chain.error().message, HasSubstr("no internal snapshot with id 7\\n"));
}

}  // namespace
}  // namespace vmpatch::image
