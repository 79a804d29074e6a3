#include <gtest/gtest.h>

#include "vmpatch/core/json.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory {
namespace {

TEST(InventoryJson, has_schema_hosts_machines_and_orphans) {
  Inventory inventory;
  HostInventory host;
  host.host = "test:///default";
  Machine machine;
  machine.name = "web01";
  machine.state = State::saved;
  machine.saved_to_file = FileSave{FileSave::Witness::log, *parse_time("2026-11-30T12:00:00Z")};
  machine.disks.emplace_back();
  machine.disks[0].layers.push_back({"/srv/a", image::Format::qcow2, 10, 20});
  host.machines.push_back(machine);
  host.orphans.push_back({host.host, "pool", "/srv/o", 5});
  inventory.hosts = {host, HostInventory{}};
  inventory.hosts[1].problem = "no answer";
  const Json json = to_json(inventory);
  EXPECT_EQ(json["schema"], "vm-patch/inventory/v1");
  EXPECT_EQ(json["complete"], false);
  EXPECT_EQ(json["hosts"][0]["problem"], nullptr);
  EXPECT_EQ(json["hosts"][1]["problem"], "no answer");
  EXPECT_EQ(json["machines"][0]["state"], "saved");
  EXPECT_EQ(json["machines"][0]["managed_save"], false);
  EXPECT_EQ(json["machines"][0]["saved_to_file"], (Json{{"told_by", "log"}, {"when", "2026-11-30T12:00:00Z"}}));
  EXPECT_EQ(to_json(Machine{})["saved_to_file"], nullptr);
  EXPECT_EQ(json["machines"][0]["disks"][0]["source"], nullptr);
  EXPECT_EQ(json["machines"][0]["disks"][0]["format"], nullptr);
  EXPECT_EQ(json["machines"][0]["disks"][0]["layers"][0]["format"], "qcow2");
  EXPECT_EQ(json["orphans"][0]["path"], "/srv/o");
}

}  // namespace
}  // namespace vmpatch::inventory
