#include "unit/gate/scene.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::gate {
namespace {

image::DiskIdentity file(std::uint64_t inode, std::int64_t mtime_ns = 1) {
  image::DiskIdentity disk = disk_identity(mtime_ns);
  disk[0].inode = inode;
  return disk;
}
image::DiskIdentity chain(const image::DiskIdentity& top, const image::DiskIdentity& base) { return {top.at(0), base.at(0)}; }

ledger::Custody ran_with(const Identities& at) {
  SceneData scene;
  scene.add_custody(at, Seconds(3600)).started = true;
  return *scene.custody;
}

TEST(OpenCustody, is_unbroken_only_with_a_lineage) {
  SceneData scene;
  const auto opened = [&] { return open_custody(scene.input(), "prepare"); };
  EXPECT_TRUE(opened().unbroken);
  EXPECT_TRUE(opened().live.is_null());
  EXPECT_TRUE(is_fresh(opened(), this_boot, scene.now));
  EXPECT_FALSE(is_fresh(opened(), "boot-before", scene.now));
  EXPECT_FALSE(is_fresh(opened(), this_boot, scene.now - Seconds(1)));
  scene.identities = disks(2);
  EXPECT_FALSE(opened().unbroken);
}

TEST(AfterRun, disks_are_as_they_are_now) { EXPECT_EQ(disks_after_run(ran_with(disks(1)), disks(2)), to_json(disks(2))); }

TEST(AfterRun, disk_that_was_plugged_in_is_no_part_of_it) {
  Identities now = disks(2);
  now["vdb"] = file(8);
  EXPECT_EQ(disks_after_run(ran_with(disks(1)), now), to_json(disks(2)));
}

TEST(AfterRun, disk_that_was_pulled_out_stays_as_it_was_at_the_start) {
  Identities two = disks(1);
  two["vdb"] = file(8, 1);
  Identities expected = disks(2);
  expected["vdb"] = file(8, 1);
  EXPECT_EQ(disks_after_run(ran_with(two), disks(2)), to_json(expected));
}

TEST(AfterRun, another_disk_in_its_place_is_not_taken_for_it) {
  EXPECT_EQ(disks_after_run(ran_with({{"vda", file(7)}}), {{"vda", file(8)}}), to_json({{"vda", file(7)}}));
  // Two clones of one template.
  const Identities before{{"vda", chain(file(7), file(1))}};
  EXPECT_EQ(disks_after_run(ran_with(before), {{"vda", chain(file(8), file(1))}}), to_json(before));
}

TEST(AfterRun, snapshot_and_commit_of_a_running_machine_keep_the_disk) {
  const Identities one{{"vda", file(7, 1)}};
  const Identities longer{{"vda", chain(file(8, 2), file(7, 2))}};
  EXPECT_EQ(disks_after_run(ran_with(one), longer), to_json(longer));
  EXPECT_EQ(disks_after_run(ran_with(longer), {{"vda", file(7, 3)}}), to_json({{"vda", file(7, 3)}}));
  EXPECT_EQ(disks_after_run(ran_with(longer), {{"vda", file(8, 3)}}), to_json({{"vda", file(8, 3)}}));
}

TEST(AfterRun, unreadable_records_stay_unreadable) {
  ledger::Custody custody = ran_with(disks(1));
  custody.identities = "x";
  EXPECT_EQ(disks_after_run(custody, disks(1)), Json("x"));
}

/// vdb was plugged into the running machine, vdc pulled out of it, then its memory was saved.
struct Replugged : SceneData {
  Replugged() {
    operation = Operation::restore;
    Identities after = disks(2);
    after["vdc"] = file(9, 1);
    add_closed_custody(after);
    identities = disks(2);
    identities["vdb"] = file(8, 1);
    saved.emplace().identities = to_json(identities);
    Identities attested = disks(1);
    attested["vdc"] = file(9, 1);
    facts.attestation->identities = to_json(attested);
  }
};

TEST(Replug, memory_goes_on_with_the_disks_that_it_was_saved_with) {
  Replugged scene;
  EXPECT_EQ(scene.decide().rule, "custody");
  scene.identities["vdb"] = file(8, 2);
  EXPECT_EQ(scene.decide().rule, "saved-disks-changed");
  scene.identities.erase("vdb");
  EXPECT_EQ(scene.decide().rule, "saved-disks-changed");
}

TEST(Replug, definition_of_a_saved_machine_is_told_the_same) {
  Replugged scene;
  inventory::Disk pulled;
  pulled.target = "vdc";
  scene.machine.disks.push_back(pulled);  // vda and vdc: as libvirt shows it
  fit_to_saved(scene.machine, scene.saved->identities, *scene.custody);
  ASSERT_EQ(scene.machine.disks.size(), 1U);
  scene.identities = disks(2);
  EXPECT_EQ(scene.decide().rule, "custody");
  scene.identities = disks(3);
  EXPECT_EQ(scene.decide().rule, "saved-disks-changed");
}

TEST(Replug, changed_disk_of_the_definition_counts_at_a_restore_too) {
  Replugged scene;
  scene.identities["vda"] = disk_identity(3);
  scene.saved.emplace().identities = to_json(scene.identities);
  EXPECT_EQ(scene.decide().rule, "unattested-change");
}

TEST(Replug, restore_without_any_known_disk_is_not_taken_for_unchanged) {
  Replugged scene;
  scene.machine.disks[0].target = "vdb";
  scene.identities = {{"vdb", file(8, 1)}};
  scene.saved.emplace().identities = to_json(scene.identities);
  EXPECT_EQ(scene.decide().rule, "unattested-change");
}

TEST(Replug, restored_machine_leaves_the_disks_of_its_definition) {
  Replugged scene;
  const ledger::Custody opened = open_custody(scene.input(), "restore");
  EXPECT_TRUE(opened.unbroken);
  EXPECT_EQ(opened.live, to_json(scene.identities));
  EXPECT_EQ(opened.identities, scene.custody->identities);
  // prepare and start see the plugged disk, too.
  scene.pending.emplace(ledger::PendingRestore{opened, {}});
  scene.operation = Operation::prepare;
  EXPECT_EQ(scene.decide().rule, "restored");
  scene.custody = opened;
  scene.operation = Operation::start;
  EXPECT_EQ(scene.decide().rule, "prepared");
  // It runs and ends: the next cold start is without vdb, and with vdc as it was before it was pulled out.
  Identities now = disks(5);
  now["vdb"] = file(8, 5);
  scene.custody->identities = disks_after_run(opened, now);
  scene.custody->live = {};
  scene.custody->started = true;
  scene.custody->closed = scene.now;
  scene.operation = Operation::prepare;
  scene.identities = disks(5);
  scene.identities["vdc"] = file(9, 1);
  EXPECT_EQ(scene.decide().rule, "custody");
  scene.identities["vdc"] = file(9, 2);
  EXPECT_EQ(scene.decide().rule, "unattested-change") << "somebody wrote to it after it was pulled out";
}

TEST(Replug, disk_that_joined_the_definition_is_new_at_the_next_cold_start) {
  SceneData scene;
  Identities now = disks(2);
  now["vdb"] = file(8);
  scene.add_closed_custody(disks(1));
  scene.custody->identities = disks_after_run(ran_with(disks(1)), now);
  scene.identities = now;
  EXPECT_NE(scene.decide().reason.find("disk vdb is new"), std::string::npos) << scene.decide().reason;
}

TEST(Replug, attested_disk_that_left_the_definition_is_missed_at_the_next_cold_start) {
  SceneData scene;
  Identities two = disks(1);
  two["vdb"] = file(8);
  scene.add_closed_custody(disks(1));
  scene.custody->identities = disks_after_run(ran_with(two), {{"vdb", file(8)}});
  scene.machine.disks[0].target = "vdb";
  scene.identities = {{"vdb", file(8)}};
  EXPECT_NE(scene.decide().reason.find("disk vda is gone"), std::string::npos) << scene.decide().reason;
}

}  // namespace
}  // namespace vmpatch::gate
