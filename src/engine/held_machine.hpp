#pragma once
// The only way to a disk that may be written: for apply, rollback, recovery, and whatever else will write one.

#include <chrono>

#include "engine/run_record.hpp"
#include "vmpatch/reading/disks.hpp"

namespace vmpatch::engine {

/// A machine that nobody else can use while this lives: the ledger's lease (by machine and by disks) keeps other runs away, QEMU's
/// locks on every layer keep the machine from starting, and clones of it from opening their base. Held to be published, its images are only
/// read: clones go on as they are.
class HeldMachine {
 public:
  /// For a new run: takes the lease, then the locks, and only then looks again: state, saved memory, sharers, children, that the
  /// machine's disks are the locked ones, and that they are what `expected` says (empty = whatever they are). `more_keys`: of what else it is leased for. Errors: busy,
  /// recovery_needed (an interrupted run holds it), refused (with every obstacle); nothing was touched.
  static Result<HeldMachine> take(const Environment& environment, RunRecord& record, Strategy strategy, const inventory::Machine& machine,
                                  const reading::Identities& expected, const std::vector<std::string>& more_keys = {});

  /// For a run that was interrupted and adopted: it has the lease. Opens the disks as recorded. Errors: not_found (storage is not
  /// there, or not yet), busy (somebody uses the disks: later). What happened to the machine meanwhile is in remarks().
  static Result<HeldMachine> take_again(const Environment& environment, const ledger::Run& run, const std::vector<RecordedDisk>& recorded);

  [[nodiscard]] const std::vector<reading::OpenDisk>& disks() const { return disks_; }
  /// As they were when the machine was taken.
  [[nodiscard]] const reading::Identities& identities() const { return identities_; }
  /// Of take_again(): memory that was saved, clones that were made, a start, all since the run began to write. A human must choose then.
  [[nodiscard]] const std::vector<std::string>& remarks() const { return remarks_; }
  /// As they are now.
  [[nodiscard]] Result<reading::Identities> identify_again() const { return reading::identify(disks_); }
  /// Whoever only tries, as a start that our locks forbid, is given time to fail: little before the first write, where giving up costs
  /// nothing, more after the last one, where it costs a quarantine.
  static constexpr std::chrono::seconds before_writing{2}, after_writing{10};
  /// What take() looked at still is so, and nobody else has come, though his program heeds none of our locks.
  /// Errors: those of check_unchanged(); busy: somebody uses the disks, or still tries to when `patience` is over.
  [[nodiscard]] Result<void> check_alone(const Environment& environment, const inventory::Machine& machine, std::chrono::seconds patience) const;
  /// The same for take_again().
  [[nodiscard]] Result<void> check_alone(const Environment& environment, const ledger::Run& run, const std::vector<RecordedDisk>& recorded) const;

 private:
  HeldMachine() = default;
  Strategy strategy_ = Strategy::in_place;
  [[nodiscard]] Result<void> check_alone() const;
  /// `may_pass`: what is in the way may be gone in a moment, as a start that the locks or the hook forbid is.
  struct Look {
    Result<void> alone;
    bool may_pass = false;
  };
  [[nodiscard]] Look look_alone(const Environment& environment, const inventory::Machine& machine) const;
  std::vector<reading::OpenDisk> disks_;
  std::vector<image::ChainLock> locks_;
  reading::Identities identities_;
  std::vector<std::string> remarks_;
};

/// None of these runs is still at work, or was interrupted where its disks may be between old and new: nothing true can be said of them
/// then. Errors: busy, recovery_needed.
Result<void> check_ended(const inventory::Machine& machine, const std::vector<ledger::Run>& runs);
/// The same for all runs that have one of these disks (image::file_id).
Result<void> check_no_run_on(const Environment& environment, const inventory::Machine& machine, const std::vector<std::string>& keys);

/// Under locks: reads the machine again from its source. Errors: refused (with every obstacle: it is not dormant any more, say), busy (its
/// disks are no longer the locked ones). A start that the locks forbid is given HeldMachine::after_writing to fail.
Result<void> check_unchanged(const Environment& environment, Strategy strategy, const inventory::Machine& machine, const std::vector<reading::OpenDisk>& locked);

}  // namespace vmpatch::engine
