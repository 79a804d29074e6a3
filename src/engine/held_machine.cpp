#include "engine/held_machine.hpp"

#include <chrono>
#include <thread>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

std::string shown(const inventory::Machine& machine) { return escape_untrusted(machine.name); }

/// What the machine is made of now must be what is locked: a disk that was exchanged or added after planning is not.
Result<void> check_same_disks(const inventory::Machine& now, const std::vector<reading::OpenDisk>& locked, const std::vector<fs::path>& allowed_dirs) {
  VMPATCH_TRY(const auto disks, reading::open_disks(now, allowed_dirs));
  bool same = disks.size() == locked.size();
  for (std::size_t i = 0; same && i < disks.size(); ++i) {
    VMPATCH_TRY(const auto mine, locked[i].chain.identity());
    VMPATCH_TRY(const auto found, disks[i].chain.identity());
    same = disks[i].target == locked[i].target && mine.size() == found.size() && disks[i].chain.top().format == locked[i].chain.top().format;
    for (std::size_t layer = 0; same && layer < mine.size(); ++layer) same = image::file_id(mine[layer]) == image::file_id(found[layer]);
  }
  if (same) return {};
  return fail(Errc::busy, "machine {}: its disks are others than a moment ago; plan again", shown(now));
}

Result<void> check_dormant(const Environment& environment, Strategy strategy, const inventory::Machine& now, const std::vector<reading::OpenDisk>& locked) {
  const auto obstacles = strategy == Strategy::publish ? inventory::publish_obstacles(now) : inventory::write_obstacles(now);
  if (!obstacles.empty()) {
    return fail(Errc::refused, "machine {}: {}", shown(now), fmt::join(obstacles, "; "));
  }
  return check_same_disks(now, locked, environment.allowed_dirs);
}

/// A start that QEMU's locks or a hook forbid shows until it has failed: the machine as paused, a clone that only starts (virsh create) as a child.
bool may_be_a_start_that_fails(const inventory::Machine& planned, const inventory::Machine& now) {
  return (now.state == inventory::State::paused && planned.state != inventory::State::paused) || now.children.size() > planned.children.size();
}

/// Who publishes shares the images with those who stand on them.
image::Sharing sharing_of(Strategy strategy) { return strategy == Strategy::publish ? image::Sharing::readers : image::Sharing::nobody; }

/// The QEMU of a killed process ends a moment after it: its descriptor still says that the disk is being written.
Result<image::ChainLock> lock_when_free(const image::Chain& chain, image::Sharing sharing) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (;;) {
    auto lock = image::ChainLock::acquire(chain, sharing);
    if (lock || lock.error().code != Errc::busy || std::chrono::steady_clock::now() > deadline) return lock;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

Result<reading::OpenDisk> open_recorded(const ledger::Run& run, const RecordedDisk& recorded) {
  image::OpenPolicy policy;
  policy.allowed_dirs = recorded_dirs(run);
  VMPATCH_TRY(auto chain, image::Chain::open(recorded.path, recorded.format, policy));
  VMPATCH_TRY(const auto identity, chain.identity());
  if (!is_recorded_file(recorded, identity)) {
    return fail(Errc::not_found, "{} is not there: another file has its name; put the disk back; if it is gone for good, 'vm-patch recover {}' shows how to end the run",
                escape_untrusted(recorded.path.string()), run.id);
  }
  return reading::OpenDisk{recorded.target, recorded.path, std::move(chain)};
}

/// Of a machine that has one of the disks now: why the run must not be ended by itself.
Result<std::vector<std::string>> look_at_user(const Environment& environment, const ledger::Run& run, const inventory::Machine& machine) {
  using inventory::State;
  std::vector<std::string> remarks;
  const bool saved = machine.managed_save || machine.state == State::saved;
  if (saved) remarks.push_back(fmt::format("the memory of {} was saved over disks that are between old and new", shown(machine)));
  if (!saved && machine.state != State::shutoff) {
    return fail(Errc::busy, "{} is {}; shut it down, then run 'vm-patch recover'", shown(machine), inventory::to_string(machine.state));
  }
  for (const auto& child : machine.children) {
    remarks.push_back(fmt::format("{} became the backing file of {}", shown(machine), escape_untrusted(child)));
  }
  VMPATCH_TRY(const auto custody, environment.custody.last(machine.uuid));
  if (custody && custody->started && custody->opened > committing_since(run)) {
    remarks.push_back(fmt::format("{} was started at {}", shown(machine), format_time(custody->opened)));
  }
  return remarks;
}

Result<std::vector<std::string>> look_at_users(const Environment& environment, const ledger::Run& run,
                                               const std::vector<RecordedDisk>& recorded) {
  std::vector<inventory::BareImage> images;
  for (const auto& disk : recorded) images.push_back({disk.path, disk.format});
  VMPATCH_TRY(const auto users, environment.users_of(images));
  std::vector<std::string> all;
  for (const auto& machine : users) {
    VMPATCH_TRY(const auto remarks, look_at_user(environment, run, machine));
    all.insert(all.end(), remarks.begin(), remarks.end());
  }
  return all;
}

}  // namespace

Result<void> check_unchanged(const Environment& environment, Strategy strategy, const inventory::Machine& machine, const std::vector<reading::OpenDisk>& locked) {
  const auto deadline = std::chrono::steady_clock::now() + HeldMachine::after_writing;
  for (;;) {
    VMPATCH_TRY(const auto now, environment.reread(machine));
    if (!may_be_a_start_that_fails(machine, now) || std::chrono::steady_clock::now() > deadline) return check_dormant(environment, strategy, now, locked);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

Result<void> check_ended(const inventory::Machine& machine, const std::vector<ledger::Run>& runs) {
  for (const auto& run : runs) {
    if (run.state == ledger::RunState::planned) continue;
    // Whoever has found it so, this process perhaps, does not work on it.
    if (run.state == ledger::RunState::quarantined) {
      return fail(Errc::recovery_needed, "machine {}: run {} left its disks, or one below them, between old and new; 'vm-patch recover {}' shows the ways out",
                  shown(machine), run.id, run.id);
    }
    if (ledger::is_alive(run.holder)) {
      return fail(Errc::busy, "machine {}: run {} works on it or on a disk below it (process {}); wait for it to end", shown(machine), run.id,
                  run.holder.pid);
    }
    return fail(Errc::recovery_needed, "machine {}: run {} was interrupted while {}; run 'vm-patch recover'", shown(machine), run.id,
                ledger::to_string(run.state));
  }
  return {};
}

Result<void> check_no_run_on(const Environment& environment, const inventory::Machine& machine, const std::vector<std::string>& keys) {
  if (keys.empty()) return {};
  ledger::RunFilter of_disks;
  of_disks.disks = keys;
  of_disks.unfinished_only = true;
  VMPATCH_TRY(const auto runs, environment.store.runs(of_disks));
  return check_ended(machine, runs);
}

Result<HeldMachine> HeldMachine::take(const Environment& environment, RunRecord& record, Strategy strategy, const inventory::Machine& machine,
                                      const reading::Identities& expected, const std::vector<std::string>& more_keys) {
  HeldMachine held;
  held.strategy_ = strategy;
  VMPATCH_TRY(held.disks_, reading::open_disks(machine, environment.allowed_dirs));
  VMPATCH_TRY(const auto before, reading::identify(held.disks_));
  auto keys = disk_keys(strategy, before);
  keys.insert(keys.end(), more_keys.begin(), more_keys.end());
  VMPATCH_CHECK(record.lease(keys));
  // The lease is for what is written. What is read below it must not be between old and new.
  VMPATCH_CHECK(check_no_run_on(environment, machine, backing_keys(before)));
  VMPATCH_TRY(held.locks_, reading::lock_disks(held.disks_, sharing_of(strategy)));
  // Whatever it was while planning: from here on nobody can start it or write its disks without noticing us.
  VMPATCH_CHECK(check_unchanged(environment, strategy, machine, held.disks_));
  VMPATCH_TRY(held.identities_, reading::identify(held.disks_));
  if (expected.empty()) return held;
  if (const auto difference = reading::first_difference(expected, held.identities_); !difference.empty()) {
    return fail(Errc::busy, "machine {}: {} since it was planned; plan again", shown(machine), difference);
  }
  return held;
}

Result<HeldMachine> HeldMachine::take_again(const Environment& environment, const ledger::Run& run,
                                            const std::vector<RecordedDisk>& recorded) {
  HeldMachine held;
  held.strategy_ = strategy_of(run);
  for (const auto& disk : recorded) {
    VMPATCH_TRY(auto open, open_recorded(run, disk));
    held.disks_.push_back(std::move(open));
  }
  for (const auto& disk : held.disks_) {
    VMPATCH_TRY(auto lock, lock_when_free(disk.chain, sharing_of(held.strategy_)));
    held.locks_.push_back(std::move(lock));
  }
  VMPATCH_TRY(held.remarks_, look_at_users(environment, run, recorded));
  VMPATCH_TRY(held.identities_, reading::identify(held.disks_));
  return held;
}

Result<void> HeldMachine::check_alone() const {
  for (const auto& lock : locks_) VMPATCH_CHECK(lock.check_alone());
  return {};
}

HeldMachine::Look HeldMachine::look_alone(const Environment& environment, const inventory::Machine& machine) const {
  if (auto alone = check_alone(); !alone) return {alone, alone.error().code == Errc::busy};
  const auto now = environment.reread(machine);
  if (!now) return {now.error(), now.error().code == Errc::busy};
  const bool may_pass = may_be_a_start_that_fails(machine, *now);
  if (now->state == inventory::State::paused) {
    return {fail(Errc::busy, "machine {} is just being started, or is paused; shut it down first", shown(machine)), may_pass};
  }
  auto dormant = check_dormant(environment, strategy_, *now, disks_);
  return {dormant, may_pass || (!dormant && dormant.error().code == Errc::busy)};
}

Result<void> HeldMachine::check_alone(const Environment& environment, const inventory::Machine& machine, std::chrono::seconds patience) const {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    auto look = look_alone(environment, machine);
    if (look.alone || !look.may_pass || std::chrono::steady_clock::now() > deadline) return look.alone;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

Result<void> HeldMachine::check_alone(const Environment& environment, const ledger::Run& run, const std::vector<RecordedDisk>& recorded) const {
  VMPATCH_CHECK(check_alone());
  VMPATCH_TRY(const auto remarks, look_at_users(environment, run, recorded));
  if (remarks == remarks_) return {};
  return fail(Errc::busy, "{} just now; run 'vm-patch recover' again", fmt::join(remarks, "; "));
}

}  // namespace vmpatch::engine
