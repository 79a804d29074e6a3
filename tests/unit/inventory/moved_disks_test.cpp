#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vmpatch/inventory/control.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* xml = R"(<domain type='kvm'><name>tmpl</name><uuid>a7d6c2f0-2f33-4b71-a2d5-000000000001</uuid>
  <metadata><x:own xmlns:x='https://example.org/own' mark='1'/></metadata>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/><source file='/srv/a&amp;b.qcow2'><seclabel model='dac' relabel='no'/></source>
      <backingStore type='file'><format type='raw'/><source file='/srv/base.raw'/><backingStore/></backingStore><target dev='vda' bus='virtio'/></disk>
    <disk type='volume' device='disk'><driver name='qemu' type='raw'/><source pool='default' volume='data.raw'/><target dev='vdb' bus='virtio'/></disk>
    <disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='/dev/vg/x'/><target dev='vdc' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
  </devices></domain>)";

TEST(MovedDisks, files_and_volumes_get_their_new_names_and_all_else_stays) {
  const auto moved = with_moved_disks(xml, {{"vda", "/srv/a&b.qcow2", "/srv/a&b.v2.qcow2"}, {"vdb", "/pool/data.raw", "/pool/data.v2.raw"}});
  ASSERT_TRUE(moved) << moved.error().message;
  const auto machine = parse_domain_xml(*moved, "tmpl");
  ASSERT_TRUE(machine) << machine.error().message;
  EXPECT_EQ(machine->disks.at(0).source, fs::path("/srv/a&b.v2.qcow2"));
  EXPECT_FALSE(machine->disks.at(0).configured_chain) << "a backing file of the old one";
  EXPECT_EQ(machine->disks.at(1).pool, "default");
  EXPECT_EQ(machine->disks.at(1).volume, "data.v2.raw");
  EXPECT_EQ(machine->disks.at(2).source, fs::path("/dev/vg/x"));
  for (const auto* kept : {"mark=\"1\"", "cache=\"none\"", "relabel=\"no\""}) EXPECT_THAT(*moved, HasSubstr(kept));
  EXPECT_THAT(*moved, Not(HasSubstr("/srv/base.raw")));
}

TEST(MovedDisks, a_disk_that_is_not_where_it_was_is_refused) {
  for (const DiskMove& move : {DiskMove{"vda", "/srv/other.qcow2", "/srv/x"}, DiskMove{"vdb", "/pool/other.raw", "/pool/x"}, DiskMove{"vdc", "/dev/vg/x", "/dev/vg/y"},
                               DiskMove{"sda", "", "/srv/x"}, DiskMove{"vdz", "/srv/a&b.qcow2", "/srv/x"}}) {
    const auto moved = with_moved_disks(xml, {move});
    ASSERT_FALSE(moved) << move.target;
    EXPECT_EQ(moved.error().code, Errc::refused) << move.target;
  }
  EXPECT_FALSE(with_moved_disks("<domain", {}));
}

}  // namespace
}  // namespace vmpatch::inventory
