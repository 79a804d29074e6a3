#include "vmpatch/fleet/disk_use.hpp"

#include <gtest/gtest.h>

#include "unit/image/temp_dir.hpp"

namespace vmpatch::fleet {
namespace {

using inventory::Machine;

class DiskUseTest : public ::testing::Test {
 protected:
  std::filesystem::path make_file(const std::string& name, std::size_t blocks) { return folder_.write(name, std::string(blocks * 4096, 'x')); }

  /// Layers top first.
  static Machine make_machine(const std::string& name, const std::vector<std::filesystem::path>& layers, bool bare = false) {
    Machine machine;
    machine.uuid = machine.name = name;
    machine.bare = bare;
    inventory::Disk disk;
    disk.target = "vda";
    disk.source = layers.front();
    for (const auto& layer : layers) disk.layers.push_back({layer, image::Format::qcow2, 0, 0});
    machine.disks.push_back(disk);
    return machine;
  }
  static std::uint64_t bytes_of(const std::vector<Machine>& machines, std::size_t which) {
    inventory::Inventory inventory;
    inventory.hosts.resize(1);
    inventory.hosts[0].machines = machines;
    return DiskUse(inventory).own_bytes(machines[which]);
  }

 private:
  image::test::TempDir folder_;
};

TEST_F(DiskUseTest, OneMachineOwnsAllOfItsLayers) {
  const auto top = make_file("top", 3);
  const auto base = make_file("base", 5);
  EXPECT_EQ(bytes_of({make_machine("a", {top, base})}, 0), allocated_bytes(top) + allocated_bytes(base));
  EXPECT_GE(allocated_bytes(base), 5U * 4096);
}

TEST_F(DiskUseTest, ALayerOfTwoMachinesBelongsToNeither) {
  const auto a = make_file("a", 3);
  const auto b = make_file("b", 4);
  const auto base = make_file("base", 5);
  const std::vector<Machine> machines{make_machine("a", {a, base}), make_machine("b", {b, base}), make_machine("base", {base})};
  EXPECT_EQ(bytes_of(machines, 0), allocated_bytes(a));
  EXPECT_EQ(bytes_of(machines, 1), allocated_bytes(b));
  EXPECT_EQ(bytes_of(machines, 2), 0U);
}

TEST_F(DiskUseTest, AnImageThatOthersStandOnIsNotFree) {
  Machine machine = make_machine("base", {make_file("base", 5)});
  machine.children = {"/images/somebody.qcow2"};
  EXPECT_EQ(bytes_of({machine}, 0), 0U);
}

TEST_F(DiskUseTest, ADomainsDiskInAFoldersListingHasOneUser) {
  const auto top = make_file("top", 3);
  EXPECT_EQ(bytes_of({make_machine("web01", {top}), make_machine(top.native(), {top}, true)}, 0), allocated_bytes(top));
}

TEST_F(DiskUseTest, OneFileInTwoDrivesOfAMachineCountsOnce) {
  const auto base = make_file("base", 5);
  Machine machine = make_machine("a", {make_file("a", 1), base});
  machine.disks.push_back(make_machine("a", {make_file("b", 1), base}).disks.front());
  EXPECT_EQ(bytes_of({machine}, 0), allocated_bytes(base) + 2 * allocated_bytes(machine.disks[0].source.value()));
}

TEST_F(DiskUseTest, WhatIsNoRegularFileHasNoSize) {
  EXPECT_EQ(allocated_bytes("/dev/null"), 0U);
  EXPECT_EQ(allocated_bytes("/nonexistent"), 0U);
}

}  // namespace
}  // namespace vmpatch::fleet
