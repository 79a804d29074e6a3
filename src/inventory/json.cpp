#include "vmpatch/inventory/machine.hpp"

#include "vmpatch/core/json.hpp"

namespace vmpatch::inventory {
namespace {

Json to_json(const Disk& disk) {
  Json json = {{"target", disk.target}, {"device", disk.device}, {"kind", disk.source_kind}};
  json["source"] = disk.source ? Json(disk.source->native()) : Json();
  if (disk.source_kind == "volume") json["volume"] = {{"pool", disk.pool}, {"name", disk.volume}};
  json["format"] = disk.format ? Json(*disk.format) : Json();
  json["read_only"] = disk.read_only;
  json["shareable"] = disk.shareable;
  json["transient"] = disk.transient;
  Json layers = Json::array();
  for (const auto& layer : disk.layers) {
    layers.push_back({{"path", layer.path.native()},
                      {"format", std::string(image::to_string(layer.format))},
                      {"file_size", layer.file_size},
                      {"virtual_size", layer.virtual_size}});
  }
  json["layers"] = std::move(layers);
  json["problem"] = disk.problem.empty() ? Json() : Json(disk.problem);
  return json;
}

Json to_json(const Snapshot& snapshot) {
  return {{"name", snapshot.name},
          {"kind", std::string(to_string(snapshot.kind))},
          {"taken", format_time(snapshot.taken)},
          {"memory", snapshot.memory},
          {"problem", snapshot.problem.empty() ? Json() : Json(snapshot.problem)}};
}

Json to_json(const FileSave& save) {
  return {{"told_by", std::string(to_string(save.told_by))}, {"when", save.when ? Json(format_time(*save.when)) : Json()}};
}

Json to_json(const Orphan& orphan) {
  return {{"host", orphan.host}, {"pool", orphan.pool}, {"path", orphan.path.native()}, {"file_size", orphan.file_size}};
}

}  // namespace

Json to_json(const Machine& machine) {
  Json json = {{"host", machine.host}, {"uuid", machine.uuid}, {"name", machine.name}};
  json["state"] = std::string(to_string(machine.state));
  json["dormant"] = machine.dormant();
  json["suspended"] = machine.suspended();
  json["persistent"] = machine.persistent;
  json["managed_save"] = machine.managed_save;
  json["saved_to_file"] = machine.saved_to_file ? to_json(*machine.saved_to_file) : Json();
  json["has_snapshots"] = machine.has_snapshots;
  Json snapshots = Json::array();
  for (const Snapshot& snapshot : machine.snapshots) snapshots.push_back(to_json(snapshot));
  json["snapshots"] = std::move(snapshots);
  json["bare"] = machine.bare;
  json["local"] = machine.local;
  json["domain_type"] = machine.domain_type;
  json["template"] = machine.is_template;
  json["metadata"] = {{"role", machine.metadata.role},
                      {"group", machine.metadata.group},
                      {"criticality", machine.metadata.criticality},
                      {"exposure", machine.metadata.exposure}};
  Json disks = Json::array();
  for (const Disk& disk : machine.disks) disks.push_back(to_json(disk));
  json["disks"] = std::move(disks);
  json["children"] = machine.children;
  json["possible_children"] = machine.possible_children;
  json["shared_with"] = machine.shared_with;
  json["problem"] = machine.problem.empty() ? Json() : Json(machine.problem);
  return json;
}

Json to_json(const Inventory& inventory) {
  Json json = {{"schema", "vm-patch/inventory/v1"}, {"complete", inventory.complete()}};
  Json hosts = Json::array();
  Json machines = Json::array();
  Json orphans = Json::array();
  for (const HostInventory& host : inventory.hosts) {
    hosts.push_back({{"host", host.host}, {"problem", host.problem.empty() ? Json() : Json(host.problem)}, {"gaps", host.gaps}, {"notes", host.notes}});
    for (const Machine& machine : host.machines) machines.push_back(to_json(machine));
    for (const Orphan& orphan : host.orphans) orphans.push_back(to_json(orphan));
  }
  json["hosts"] = std::move(hosts);
  json["machines"] = std::move(machines);
  json["orphans"] = std::move(orphans);
  return json;
}

}  // namespace vmpatch::inventory
