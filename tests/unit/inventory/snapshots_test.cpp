#include <gmock/gmock.h>

#include "inventory/snapshots.hpp"
#include "unit/inventory/images.hpp"

namespace vmpatch::inventory {
namespace {

using test::Images;
using test::machine;
using test::named;
using test::one_host;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

void take(const fs::path& image, const std::string& name) { test::qemu_img({"snapshot", "-c", name, image.string()}); }

Inventory loaded(Machine machine) {
  return test::loaded(one_host({std::move(machine)}));
}

image::InternalSnapshot internal(const std::string& id, const std::string& name, int seconds, std::uint64_t memory = 0) {
  image::InternalSnapshot snapshot;
  snapshot.id = id;
  snapshot.name = name;
  snapshot.taken = std::chrono::seconds(seconds);
  snapshot.vm_state_size = memory;
  return snapshot;
}

Machine two_disks() {
  Machine web = machine("web", "/srv/a.qcow2");
  web.disks.push_back(web.disks[0]);
  web.disks[1].target = "vdb";
  web.disks[1].source = "/srv/b.qcow2";
  return web;
}

Snapshot external(const std::string& name, std::vector<Disk> disks) {
  Snapshot snapshot;
  snapshot.name = name;
  snapshot.kind = Snapshot::Kind::external;
  snapshot.disks = std::move(disks);
  return snapshot;
}

TEST(Snapshots, internal_ones_of_an_image_are_found_with_their_ids) {
  Images images;
  const auto image = images.qcow2("one.qcow2");
  take(image, "first");
  take(image, "second\n");
  const auto inventory = loaded(machine("web", image));
  const auto& snapshots = named(inventory, "web").snapshots;
  ASSERT_THAT(snapshots, SizeIs(2));
  EXPECT_EQ(snapshots[0].name, "first");
  EXPECT_EQ(snapshots[1].name, "second\n");
  EXPECT_EQ(snapshots[1].disks.at(0).snapshot, "2");
  EXPECT_EQ(snapshots[1].kind, Snapshot::Kind::internal);
  EXPECT_GT(snapshots[1].taken, Time(std::chrono::seconds(1'700'000'000)));
  EXPECT_FALSE(snapshots[1].memory);
}

TEST(Snapshots, one_name_on_several_disks_is_one_snapshot_and_other_disks_stay_as_they_are) {
  Machine web = two_disks();
  add_internal_snapshots(web, {{"vda", {internal("1", "both", 10), internal("2", "system", 20)}},
                               {"vdb", {internal("7", "both", 10, 4096), internal("8", "data", 30)}}});
  settle_snapshots(web);
  ASSERT_THAT(web.snapshots, SizeIs(3));
  EXPECT_EQ(web.snapshots[0].name, "both");
  EXPECT_TRUE(web.snapshots[0].memory);
  EXPECT_EQ(web.snapshots[0].disks[0].snapshot, "1");
  EXPECT_EQ(web.snapshots[0].disks[1].snapshot, "7");
  EXPECT_EQ(web.snapshots[1].disks[0].snapshot, "2");
  EXPECT_EQ(web.snapshots[1].disks[1].snapshot, "");
  EXPECT_EQ(web.snapshots[2].name, "data");
  EXPECT_EQ(web.snapshots[2].disks[0].snapshot, "");
}

TEST(Snapshots, internal_one_that_libvirt_knows_and_no_image_holds_has_a_problem) {
  Machine web = two_disks();
  for (const char* name : {"here", "below"}) {
    web.snapshots.emplace_back();
    web.snapshots.back().name = name;
  }
  add_internal_snapshots(web, {{"vdb", {internal("7", "here", 10)}}});
  ASSERT_THAT(web.snapshots, SizeIs(2));
  EXPECT_EQ(web.snapshots[0].name, "below");
  EXPECT_THAT(web.snapshots[0].problem, HasSubstr("no image that the machine writes holds it"));
  EXPECT_EQ(web.snapshots[1].disks[1].snapshot, "7");
  EXPECT_EQ(web.snapshots[1].problem, "");
}

TEST(Snapshots, one_without_an_id_is_not_taken_for_the_present_state) {
  Machine web = machine("web", "/srv/a.qcow2");
  add_internal_snapshots(web, {{"vda", {internal("", "x", 10)}}});
  EXPECT_THAT(web.snapshots.at(0).problem, HasSubstr("no id"));
  Machine two = two_disks();
  add_internal_snapshots(two, {{"vda", {internal("1", "good", 10)}}, {"vdb", {internal("", "x", 20)}}});
  ASSERT_THAT(two.snapshots, SizeIs(2));
  EXPECT_EQ(two.snapshots[0].problem, "");
  EXPECT_THAT(two.snapshots[1].problem, HasSubstr("no id"));
}

TEST(Snapshots, two_of_one_name_in_one_image_are_two) {
  Machine web = machine("web", "/srv/a.qcow2");
  add_internal_snapshots(web, {{"vda", {internal("1", "x", 10), internal("2", "x", 20)}}});
  ASSERT_THAT(web.snapshots, SizeIs(2));
  EXPECT_EQ(web.snapshots[1].disks[0].snapshot, "2");
}

TEST(Snapshots, more_than_the_limit_end_in_one_that_says_so) {
  Machine web = machine("web", "/srv/a.qcow2");
  InternalSnapshots found;
  for (int i = 0; i < 5000; ++i) found["vda"].push_back(internal(std::to_string(i), "s" + std::to_string(i), i));
  add_internal_snapshots(web, found);
  settle_snapshots(web);
  ASSERT_THAT(web.snapshots, SizeIs(257));
  EXPECT_EQ(web.snapshots[255].problem, "");
  EXPECT_THAT(web.snapshots[256].problem, HasSubstr("more than 256 snapshots"));
}

TEST(Snapshots, machine_at_one_has_its_disks_and_may_not_be_written) {
  Images images;
  const auto image = images.qcow2("one.qcow2");
  take(image, "first");
  const auto inventory = loaded(machine("web", image));
  const Machine& web = named(inventory, "web");
  EXPECT_THAT(write_obstacles(web), IsEmpty());
  const Machine then = at_snapshot(web, web.snapshots.at(0));
  EXPECT_EQ(then.uuid, web.uuid);
  EXPECT_EQ(then.disks.at(0).snapshot, "1");
  EXPECT_THAT(write_obstacles(then), ElementsAre(HasSubstr("machine web at its snapshot first is only read")));
  const auto chain = open_disk_chain(then, then.disks[0], {});
  ASSERT_TRUE(chain) << chain.error().message;
  EXPECT_FALSE(chain->open_top_writable());
}

TEST(Snapshots, images_that_a_snapshot_refers_to_are_no_orphans) {
  Images images;
  const auto base = images.qcow2("base.qcow2");
  const auto old = images.overlay("old.qcow2", base);
  Machine web = machine("web", images.qcow2("now.qcow2"));
  web.snapshots.push_back(external("below", machine("web", old).disks));
  auto inventory = one_host({web});
  for (const auto& path : {base, old, images.qcow2("forgotten.qcow2")}) {
    inventory.hosts[0].volumes.push_back({"test:///unit", "pool", path, 1});
  }
  load_lineage(inventory, {});
  ASSERT_THAT(inventory.hosts[0].orphans, SizeIs(1));
  EXPECT_EQ(inventory.hosts[0].orphans[0].path, images / "forgotten.qcow2");
}

}  // namespace
}  // namespace vmpatch::inventory
