#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

std::string snapshot_xml(const std::string& kind, const std::string& more = "", const std::string& name = "before") {
  return "<domainsnapshot><name>" + name + "</name><creationTime>1790000000</creationTime>" + more +
         "<disks><disk name='vda' snapshot='" + kind + "' type='file'><source file='/srv/web.before'/></disk>"
         "<disk name='vdb' snapshot='no'/></disks>"
         "<domain type='qemu'><name>web</name><uuid>a7d6c2f0-2f33-4b71-a2d5-000000000001</uuid><devices>"
         "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/srv/web.qcow2'/><target dev='vda'/></disk>"
         "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/srv/data.raw'/><target dev='vdb'/></disk>"
         "</devices></domain></domainsnapshot>";
}

TEST(SnapshotXml, external_one_has_the_disks_of_the_domain_within) {
  const auto parsed = parse_snapshot_xml(snapshot_xml("external", "<memory snapshot='external' file='/srv/web.memory'/>"), "web");
  ASSERT_TRUE(parsed) << parsed.error().message;
  const Snapshot& snapshot = *parsed;
  EXPECT_EQ(snapshot.name, "before");
  EXPECT_EQ(snapshot.kind, Snapshot::Kind::external);
  EXPECT_EQ(snapshot.taken, Time(std::chrono::seconds(1790000000)));
  EXPECT_TRUE(snapshot.memory);
  ASSERT_THAT(snapshot.disks, SizeIs(2));
  EXPECT_EQ(snapshot.disks[0].source, "/srv/web.qcow2");
  EXPECT_EQ(snapshot.disks[0].format, "qcow2");
  EXPECT_EQ(snapshot.disks[1].source, "/srv/data.raw");
}

TEST(SnapshotXml, memory_that_was_not_saved_is_none) {
  EXPECT_FALSE(parse_snapshot_xml(snapshot_xml("external"), "web")->memory);
  EXPECT_FALSE(parse_snapshot_xml(snapshot_xml("external", "<memory snapshot='no'/>"), "web")->memory);
}

TEST(SnapshotXml, disks_of_an_internal_one_are_left_to_the_images) {
  const auto parsed = parse_snapshot_xml(snapshot_xml("internal"), "web");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->kind, Snapshot::Kind::internal);
  EXPECT_EQ(parsed->name, "before");
  EXPECT_THAT(parsed->disks, SizeIs(0));
}

TEST(SnapshotXml, bad_documents_are_errors_that_name_their_origin) {
  for (const auto& text : {std::string("<domainsnapshot>"), std::string("<domain/>"), snapshot_xml("external", "", ""),
                           "<!DOCTYPE domainsnapshot [<!ENTITY x 'y'>]>" + snapshot_xml("external")}) {
    const auto parsed = parse_snapshot_xml(text, "web\n01");
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message, HasSubstr("web\\n01"));
  }
}

}  // namespace
}  // namespace vmpatch::inventory
