#include "guest/worker/setup.hpp"

#include "guest/worker/wire.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::guest::worker {
namespace {

constexpr std::int64_t max_id = UINT32_MAX;

Json export_json(const image::NbdExport& source) {
  return {{"socket", source.socket.string()}, {"name", source.name}, {"size", source.size}, {"writable", source.writable}};
}

Result<image::NbdExport> export_from_json(const Json& json) {
  image::NbdExport source;
  VMPATCH_TRY(source.socket, word(json, "socket"));
  VMPATCH_TRY(source.name, word(json, "name"));
  VMPATCH_TRY(const std::int64_t size, number(json, "size", 0, INT64_MAX));
  source.size = static_cast<std::uint64_t>(size);
  source.writable = json.value("writable", false);
  return source;
}

}  // namespace

Json to_json(const Setup& setup) {
  Json json;
  json["disks"] = Json::array();
  for (const GuestDisk& disk : setup.disks) {
    Json entry = export_json(disk.source);
    entry["read_only"] = disk.read_only;
    json["disks"].push_back(std::move(entry));
  }
  if (setup.payload) json["payload"] = export_json(*setup.payload);
  json["tmp"] = setup.tmp.string();
  json["appliance"] = setup.appliance.string();
  if (setup.run_as) {
    json["uid"] = setup.run_as->uid;
    json["gid"] = setup.run_as->gid;
  }
  if (setup.kvm_group) json["kvm_group"] = *setup.kvm_group;
  json["kvm"] = setup.accelerator == Accelerator::kvm;
  json["write"] = setup.write;
  json["timeout"] = setup.timeout.count();
  return json;
}

Result<Setup> setup_from_json(const Json& json) {
  Setup setup;
  if (!json.contains("disks") || !json["disks"].is_array()) return fail(Errc::failed, "a setup without disks");
  for (const Json& entry : json["disks"]) {
    VMPATCH_TRY(image::NbdExport source, export_from_json(entry));
    setup.disks.push_back({std::move(source), entry.value("read_only", true)});
  }
  if (json.contains("payload")) {
    VMPATCH_TRY(setup.payload, export_from_json(json["payload"]));
  }
  VMPATCH_TRY(setup.tmp, word(json, "tmp"));
  VMPATCH_TRY(setup.appliance, word(json, "appliance"));
  if (json.contains("uid")) {
    VMPATCH_TRY(const std::int64_t uid, number(json, "uid", 1, max_id));
    VMPATCH_TRY(const std::int64_t gid, number(json, "gid", 1, max_id));
    setup.run_as = Credentials{static_cast<uid_t>(uid), static_cast<gid_t>(gid)};
  }
  if (json.contains("kvm_group")) {
    VMPATCH_TRY(const std::int64_t gid, number(json, "kvm_group", 1, max_id));
    setup.kvm_group = static_cast<gid_t>(gid);
  }
  setup.accelerator = json.value("kvm", false) ? Accelerator::kvm : Accelerator::tcg;
  setup.write = json.value("write", false);
  VMPATCH_TRY(const std::int64_t timeout, number(json, "timeout", 1, 86'400));
  setup.timeout = Seconds(timeout);
  return setup;
}

}  // namespace vmpatch::guest::worker
