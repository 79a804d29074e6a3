#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "vmpatch/inventory/source.hpp"

namespace vmpatch::inventory {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Machine fit() {
  Machine machine;
  machine.name = "web01";
  machine.uuid = "a7d6c2f0-2f33-4b71-a2d5-000000000001";
  machine.state = State::shutoff;
  Disk disk;
  disk.target = "vda";
  disk.source = "/srv/web.qcow2";
  disk.source_kind = "file";
  disk.format = "qcow2";
  machine.disks.push_back(disk);
  return machine;
}

TEST(Obstacles, dormant_machine_has_none) { EXPECT_THAT(write_obstacles(fit()), IsEmpty()); }

TEST(Obstacles, snapshots_of_a_dormant_machine_are_no_obstacle) {
  Machine machine = fit();
  machine.has_snapshots = true;
  EXPECT_THAT(write_obstacles(machine), IsEmpty());
}

TEST(Obstacles, template_without_children_may_be_written) {
  Machine machine = fit();
  machine.is_template = true;
  EXPECT_THAT(write_obstacles(machine), IsEmpty());
}

struct StateCase {
  State state;
  const char* word;
};

class ObstacleOfState : public testing::TestWithParam<StateCase> {};

TEST_P(ObstacleOfState, is_named) {
  Machine machine = fit();
  machine.state = GetParam().state;
  EXPECT_THAT(write_obstacles(machine), ElementsAre(HasSubstr(GetParam().word)));
}

INSTANTIATE_TEST_SUITE_P(All, ObstacleOfState,
                         testing::Values(StateCase{State::running, "is running"}, StateCase{State::paused, "is paused"},
                                         StateCase{State::pmsuspended, "suspended to RAM"}, StateCase{State::saved, "saved memory"},
                                         StateCase{State::hibernated, "hibernated"}, StateCase{State::crashed, "crashed"},
                                         StateCase{State::unknown, "does not know"}));

TEST(Obstacles, saved_memory_counts_even_if_the_state_says_shutoff) {
  Machine machine = fit();
  machine.managed_save = true;
  EXPECT_THAT(write_obstacles(machine), ElementsAre(HasSubstr("virsh managedsave-remove")));
  EXPECT_FALSE(machine.dormant());
  EXPECT_TRUE(machine.suspended());
}

TEST(Obstacles, memory_in_a_file_tells_since_when_and_every_way_out) {
  Machine machine = fit();
  machine.state = State::saved;
  machine.saved_to_file = FileSave{FileSave::Witness::log, *parse_time("2026-11-30T12:00:00Z")};
  EXPECT_THAT(write_obstacles(machine),
              ElementsAre(testing::AllOf(HasSubstr("web01 has memory that was saved to a file at 2026-11-30T12:00:00Z (says libvirt's log)"),
                                         HasSubstr("belongs to its disks as they are"), HasSubstr("virsh restore FILE"),
                                         HasSubstr("vm-patch gate forget-save -d web01 --reason"), HasSubstr("virsh start --force-boot"))));
  EXPECT_FALSE(machine.dormant());
  EXPECT_TRUE(machine.suspended());
  machine.saved_to_file->when.reset();
  EXPECT_THAT(write_obstacles(machine), ElementsAre(testing::Not(HasSubstr("forget-save")))) << "it would not help";
}

TEST(Obstacles, a_name_in_a_command_is_quoted_for_a_shell) {
  Machine machine = fit();
  machine.name = "-rf $(id);x";
  machine.managed_save = true;
  EXPECT_THAT(write_obstacles(machine), ElementsAre(HasSubstr("-d a7d6c2f0-2f33-4b71-a2d5-000000000001 ")));
}

TEST(Obstacles, come_in_order_of_importance) {
  Machine machine = fit();
  machine.state = State::running;
  machine.shared_with = {"db\x1b"};
  machine.children = {"clone1", "clone2"};
  machine.disks[0].format.reset();
  EXPECT_THAT(write_obstacles(machine),
              ElementsAre(HasSubstr("is running"), HasSubstr("shares a disk with db\\x1B"), HasSubstr("backing file of clone1, clone2"),
                          HasSubstr("no format")));
}

TEST(Obstacles, children_count_for_a_bare_image_too) {
  Machine machine = fit();
  machine.bare = true;
  machine.children = {"/srv/clone.qcow2"};
  EXPECT_THAT(write_obstacles(machine), ElementsAre(HasSubstr("image web01 is the backing file of /srv/clone.qcow2")));
}

TEST(Obstacles, many_children_are_counted) {
  Machine machine = fit();
  machine.children = {"a", "b", "c", "d", "e", "f", "g"};
  EXPECT_THAT(write_obstacles(machine), ElementsAre(HasSubstr("a, b, c, d, e and 2 more")));
}

TEST(Obstacles, disks_that_cannot_be_used) {
  Machine machine = fit();
  machine.disks[0].format = "vmdk";
  EXPECT_THAT(write_obstacles(machine), ElementsAre(HasSubstr("vmdk")));
  machine = fit();
  machine.disks[0].source.reset();
  machine.disks[0].source_kind = "network";
  EXPECT_THAT(write_obstacles(machine), ElementsAre(HasSubstr("of kind network")));
  machine = fit();
  machine.disks[0].transient = true;
  EXPECT_THAT(write_obstacles(machine), ElementsAre(HasSubstr("transient")));
  machine = fit();
  machine.disks[0].problem = "the chain is odd";
  EXPECT_THAT(write_obstacles(machine), ElementsAre("disk vda of web01: the chain is odd"));
}

TEST(Obstacles, machine_without_a_writable_disk) {
  Machine machine = fit();
  machine.disks[0].read_only = true;
  EXPECT_THAT(write_obstacles(machine), ElementsAre(HasSubstr("no disk that can be written")));
  machine.disks.clear();
  EXPECT_THAT(write_obstacles(machine), ElementsAre(HasSubstr("no disk that can be written")));
}

TEST(Obstacles, problems_of_cdroms_do_not_matter) {
  Machine machine = fit();
  Disk cdrom;
  cdrom.target = "sda";
  cdrom.device = "cdrom";
  cdrom.problem = "no medium";
  machine.disks.push_back(cdrom);
  EXPECT_THAT(write_obstacles(machine), IsEmpty());
}

TEST(Obstacles, machine_of_another_computer) {
  Machine machine = fit();
  machine.local = false;
  machine.host = "qemu+ssh://h2/system";
  EXPECT_THAT(write_obstacles(machine).front(), HasSubstr("lives on qemu+ssh://h2/system"));
}

TEST(Obstacles, a_problem_that_names_its_image_is_not_named_twice) {
  Machine machine = fit();
  machine.bare = true;
  machine.name = "/images/web.qcow2";
  machine.disks.front().problem = "image /images/web.qcow2: not a qcow2 image";
  EXPECT_THAT(write_obstacles(machine), ElementsAre("image /images/web.qcow2: not a qcow2 image"));
}

TEST(Obstacles, transient_machine) {
  Machine machine = fit();
  machine.persistent = false;
  EXPECT_THAT(write_obstacles(machine), ElementsAre(HasSubstr("virsh define")));
}

TEST(Obstacles, a_machine_with_clones_is_published_and_then_they_are_no_obstacle) {
  const testing::TestInfo* info = testing::UnitTest::GetInstance()->current_test_info();
  const fs::path image = fs::path(testing::TempDir()) / (std::string(info->name()) + ".qcow2");
  { std::ofstream(image) << "x"; }
  Machine machine = fit();
  machine.disks[0].source = image;
  EXPECT_FALSE(must_publish(machine));
  machine.children = {"clone"};
  EXPECT_TRUE(must_publish(machine));
  EXPECT_THAT(patch_obstacles(machine), IsEmpty());
  EXPECT_THAT(write_obstacles(machine), ElementsAre(HasSubstr("published as a new version")));
  machine.children.clear();
  machine.possible_children = {"/srv/maybe.img"};
  EXPECT_TRUE(must_publish(machine));
  EXPECT_THAT(patch_obstacles(machine), IsEmpty());
  fs::remove(image);
}

TEST(Obstacles, what_no_new_version_can_be_made_of_is_named) {
  Machine machine = fit();
  machine.children = {"clone"};
  machine.disks[0].source = "/dev/null";
  EXPECT_THAT(patch_obstacles(machine), ElementsAre(HasSubstr("is not a file")));
  machine.disks[0].source = "/proc/self/cmdline";
  machine.has_snapshots = true;
  EXPECT_THAT(patch_obstacles(machine), ElementsAre(HasSubstr("virsh snapshot-delete")));
  machine.has_snapshots = false;
  machine.state = State::running;
  EXPECT_THAT(patch_obstacles(machine), ElementsAre(HasSubstr("is running")));
  machine.state = State::shutoff;
  machine.bare = true;
  EXPECT_THAT(patch_obstacles(machine), ElementsAre(HasSubstr("define a machine of libvirt on it")));
}

}  // namespace
}  // namespace vmpatch::inventory
