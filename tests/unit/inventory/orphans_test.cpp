#include <gmock/gmock.h>

#include "unit/inventory/images.hpp"

namespace vmpatch::inventory {
namespace {

using test::Images;
using test::machine;
using test::one_host;
using testing::ElementsAre;

std::vector<std::string> orphans(Inventory inventory, const Images& images) {
  for (const auto& entry : fs::directory_iterator(images.path())) {
    inventory.hosts[0].volumes.push_back({inventory.hosts[0].host, "pool", entry.path(), entry.file_size()});
  }
  load_lineage(inventory, {});
  std::vector<std::string> names;
  for (const Orphan& orphan : inventory.hosts[0].orphans) names.push_back(orphan.path.filename());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(Orphans, are_volumes_that_no_machine_and_no_image_refers_to) {
  Images images;
  const auto base = images.qcow2("base.qcow2");
  const auto top = images.overlay("top.qcow2", base);
  const auto lost_base = images.qcow2("lost-base.qcow2");
  images.overlay("lost.qcow2", lost_base);
  EXPECT_THAT(orphans(one_host({machine("web", top)}), images), ElementsAre("lost.qcow2"));
}

TEST(Orphans, media_kernels_and_refused_chains_are_in_use) {
  Images images;
  auto web = machine("web", images.qcow2("web.qcow2"));
  web.disks.push_back(machine("x", images.raw("medium.iso"), "raw").disks[0]);
  web.disks[1].target = "sda";
  web.disks[1].device = "cdrom";
  web.disks[1].read_only = true;
  web.other_files = {images.raw("vmlinuz")};
  web.disks[0].format = "vmdk";
  EXPECT_THAT(orphans(one_host({web}), images), ElementsAre());
}

TEST(Orphans, one_file_under_two_names_is_listed_once) {
  Images images;
  fs::create_hard_link(images.raw("a.img"), images / "b.img");
  EXPECT_EQ(orphans(one_host({}), images).size(), 1U);
}

}  // namespace
}  // namespace vmpatch::inventory
