#pragma once
// A machine web01 in group web, attested a day ago with recipe r version 3, shut off since its last run.

#include <gtest/gtest.h>

#include "vmpatch/gate/custody.hpp"
#include "vmpatch/gate/decision.hpp"
#include "vmpatch/gate/identities.hpp"

namespace vmpatch::gate {

inline const std::string machine_uuid = "11111111-2222-4333-8444-555555555555";
inline const std::string this_boot = "boot-now";

inline image::DiskIdentity disk_identity(std::int64_t mtime_ns) {
  image::LayerIdentity layer;
  layer.path = "/images/web01.qcow2";
  layer.inode = 7;
  layer.size = 100;
  layer.mtime_ns = mtime_ns;
  layer.ctime_ns = mtime_ns;
  return {layer};
}
inline Identities disks(std::int64_t mtime_ns) { return {{"vda", disk_identity(mtime_ns)}}; }

struct SceneData {
  Operation operation = Operation::prepare;
  inventory::Machine machine;
  ledger::GateFacts facts;
  Identities identities = disks(1);
  std::optional<ledger::Custody> custody;
  std::optional<ledger::SavedMemory> saved;
  Time now = *parse_time("2026-11-02T10:00:00Z");
  bool holder_alive = false;
  bool running = false;
  bool reverting = false;
  std::optional<ledger::PendingRestore> pending;
  std::vector<std::string> unknown;

  SceneData() {
    machine.uuid = machine_uuid;
    machine.name = "web01";
    inventory::Disk disk;
    disk.target = "vda";
    machine.disks.push_back(disk);
    facts.policy = *parse_json(R"({"schema":"vm-patch/gate-policy/v1","groups":[{"name":"web","match":{"names":["web*"],"uuids":[],
      "metadata_groups":[]},"baseline":{"attested":true,"max_age":172800,"recipes":{"r":3}},"on_error":"closed","action":"deny"}]})",
                               "test");
    ledger::Attestation attestation;
    attestation.machine_uuid = machine_uuid;
    attestation.time = now - Seconds(86400);
    attestation.identities = to_json(disks(1));
    attestation.satisfied = Json::array({{{"id", "r"}, {"version", 3}, {"digest", "00"}}});
    facts.attestation = attestation;
  }

  [[nodiscard]] Json& group() { return facts.policy["groups"][0]; }
  ledger::Custody& add_custody(const Identities& at, Seconds age) {
    custody = ledger::Custody{};
    custody->machine_uuid = machine_uuid;
    custody->boot_id = this_boot;
    custody->opened = now - age;
    custody->identities = to_json(at);
    custody->operation = "prepare";
    custody->unbroken = true;
    return *custody;
  }
  ledger::Custody& add_closed_custody(const Identities& at) {
    add_custody(at, Seconds(3600)).started = true;
    custody->closed = now - Seconds(60);
    return *custody;
  }
  /// What a `restore` left that was allowed `age` ago.
  ledger::Custody& add_restore(const Identities& at, Seconds age) {
    pending.emplace();
    pending->custody.machine_uuid = machine_uuid;
    pending->custody.boot_id = this_boot;
    pending->custody.opened = now - age;
    pending->custody.identities = to_json(at);
    pending->custody.operation = "restore";
    return pending->custody;
  }
  void add_run(ledger::RunState state) {
    ledger::Run run;
    run.id = "run-1";
    run.state = state;
    run.holder.pid = 4711;
    facts.unfinished_run = run;
  }
  void add_override(const Identities& at) {
    ledger::Override entry;
    entry.id = "override-1";
    entry.machine_uuid = machine_uuid;
    entry.identities = to_json(at);
    entry.reason = "fire";
    entry.actor = "root (0)";
    entry.created = now - Seconds(60);
    entry.expires = now + Seconds(60);
    facts.overrides.push_back(entry);
  }
  [[nodiscard]] Input input() const {
    return {operation, machine, facts, identities, custody, saved, now, this_boot, holder_alive, running, reverting, pending, unknown};
  }
  [[nodiscard]] Verdict decide() const { return gate::decide(input()); }
};

}  // namespace vmpatch::gate
