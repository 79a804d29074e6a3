#include "engine/attest.hpp"
#include "engine/redo.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::engine {
namespace {

using ledger::RunState;

Result<ledger::Run> find_run(const Environment& environment, const std::string& run_id) {
  ledger::RunFilter filter;
  filter.run_id = run_id;
  VMPATCH_TRY(auto runs, environment.store.runs(filter));
  if (runs.empty()) return fail(Errc::not_found, "no run {} in the ledger; 'vm-patch history' lists them", run_id);
  return std::move(runs.front());
}

Json without_recipe(const ledger::Run& run) {
  Json kept = Json::array();
  for (const auto& entry : run.detail.value("satisfied", Json::array())) {
    if (entry.value("id", "") != run.recipe_id) kept.push_back(entry);
  }
  return kept;
}

/// The undo image is the redo log of the way back: same protocol, same recovery.
class Rollback {
 public:
  Rollback(const Environment& environment, const ledger::Run& original, const inventory::Machine& machine)
      : environment_(environment), original_(original), machine_(machine), record_(environment, new_run(environment, original)) {}

  Result<Report> execute() {
    VMPATCH_TRY(recorded_, recorded_disks(original_));
    for (auto& disk : recorded_) disk.overlay = std::exchange(disk.undo, {});
    VMPATCH_CHECK(record_.create());
    if (auto done = phases(); !done) return end_failed(done.error());
    VMPATCH_CHECK(remove_tree(environment_.places.undo / original_.id));
    return report_;
  }

 private:
  static ledger::Run new_run(const Environment& environment, const ledger::Run& original) {
    ledger::Run run = original;
    run.id = random_uuid();
    run.kind = "rollback";
    run.state = RunState::planned;
    run.recovery_attempts = 0;
    run.error.clear();
    run.disks.clear();
    run.created = run.updated = environment.clock.now();
    run.detail = {{"of", original.id}};
    return run;
  }

  Result<void> phases() {
    VMPATCH_CHECK(record_.lease());
    VMPATCH_CHECK(check_machine());
    Json disks = Json::array();
    for (const auto& disk : recorded_) disks.push_back(to_json(disk));
    VMPATCH_CHECK(record_.advance(RunState::staged, {{"disks", disks},
                                                     {"allowed_dirs", original_.detail.value("allowed_dirs", Json::array())},
                                                     {"before", original_.detail.value("after", Json::object())},
                                                     {"satisfied", without_recipe(original_)}}));
    VMPATCH_CHECK(record_.advance(RunState::patched));
    VMPATCH_CHECK(record_.advance(RunState::verified));
    environment_.observer.step(machine_, "committing the undo image");
    VMPATCH_CHECK(record_.advance(RunState::committing));
    VMPATCH_TRY(const auto after, redo_commit(environment_, record_.run(), recorded_, report_.changed_bytes));
    report_.run_id = record_.run().id;
    VMPATCH_CHECK(record_.advance(RunState::committed, {{"after", to_json(after)}, {"report", to_json(report_)}}));
    VMPATCH_TRY(const auto attestation,
                make_attestation(environment_, machine_.uuid, machine_.name, record_.run().id, after, without_recipe(original_)));
    return record_.attest(attestation);
  }

  Result<void> check_machine() {
    VMPATCH_TRY(const auto now, environment_.reread(machine_));
    if (const auto obstacles = inventory::write_obstacles(now); !obstacles.empty()) {
      return fail(Errc::refused, "machine {}: {}", escape_untrusted(machine_.name), fmt::join(obstacles, "; "));
    }
    VMPATCH_TRY(const auto disks, open_disks(now, environment_.allowed_dirs));
    VMPATCH_TRY(const auto identities, identify(disks));
    VMPATCH_TRY(const auto then, identities_from_json(original_.detail.value("after", Json())));
    if (const auto difference = first_difference(then, identities); !difference.empty()) {
      return fail(Errc::refused, "machine {}: {} since run {}; putting old clusters under new data would destroy it, restore a backup instead",
                  escape_untrusted(machine_.name), difference, original_.id);
    }
    // The overlays must still be there before anything is decided.
    VMPATCH_TRY(const auto staged, open_recorded(original_, recorded_));
    return {};
  }

  Error end_failed(const Error& error) {
    const auto state = record_.run().state;
    if (state == RunState::committing || state == RunState::committed) {
      return fail(Errc::recovery_needed, "rollback of run {}: {}; run 'vm-patch recover'", original_.id, error.message);
    }
    if (auto noted = record_.advance(RunState::failed, Json::object(), error.message); !noted) return noted.error();
    return error;
  }

  const Environment& environment_;
  const ledger::Run& original_;
  const inventory::Machine& machine_;
  RunRecord record_;
  std::vector<RecordedDisk> recorded_;
  Report report_;
};

}  // namespace

Result<Report> rollback(const Environment& environment, const std::string& run_id, const inventory::Machine& machine) {
  VMPATCH_TRY(const auto original, find_run(environment, run_id));
  if (original.state != RunState::attested || original.kind != "apply") {
    return fail(Errc::refused, "run {} is a {} in state {}; only an attested apply can be rolled back", run_id, original.kind,
                ledger::to_string(original.state));
  }
  if (original.machine_uuid != machine.uuid) {
    return fail(Errc::refused, "run {} was on machine {}, not on {}", run_id, escape_untrusted(original.machine_name),
                escape_untrusted(machine.name));
  }
  return Rollback(environment, original, machine).execute();
}

}  // namespace vmpatch::engine
