#pragma once
// An interrupted run, taken hold of again.

#include "engine/commit.hpp"
#include "vmpatch/reading/scratch.hpp"

namespace vmpatch::engine {

/// Locked disks, both logs of each, and a server over them: all that ending a commit takes.
class Unfinished {
 public:
  /// `either`: where the redo log or the undo image is gone, the other one stands for both; see has_log_to(). `none`: for reading only.
  enum class Logs { none, both, either };
  /// The run is adopted. Errors: those of HeldMachine::take_again(), and refused where a log is gone that is needed.
  static Result<Unfinished> open(const Environment& environment, const ledger::Run& run, Logs needed);

  Result<std::vector<Standing>> look();
  /// The log that holds the content of this direction is there, for every disk.
  [[nodiscard]] bool has_log_to(Direction direction) const { return direction == Direction::to_new ? has_redo_ : has_undo_; }
  CommitProtocol& protocol() { return *protocol_; }
  [[nodiscard]] const std::vector<RecordedDisk>& recorded() const { return recorded_; }
  [[nodiscard]] const std::vector<std::string>& remarks() const { return held_.remarks(); }
  /// For reading the guest that is on the disks now; until finish().
  Result<guest::OpenRequest> export_disks(const Environment& environment);
  /// Ends the server in order; identities afterwards.
  Result<reading::Identities> finish();

 private:
  Unfinished(reading::Scratch scratch, UniqueFd log, std::vector<RecordedDisk> recorded, HeldMachine held)
      : scratch_(std::move(scratch)), log_(std::move(log)), recorded_(std::move(recorded)), kept_(std::make_unique<HeldMachine>(std::move(held))), held_(*kept_) {}
  reading::Scratch scratch_;
  UniqueFd log_;
  std::vector<RecordedDisk> recorded_;
  std::unique_ptr<HeldMachine> kept_;  ///< stays where it is when this is moved
  HeldMachine& held_;
  std::unique_ptr<std::vector<StagedDisk>> staged_;
  std::unique_ptr<image::BlockServer> server_;
  std::optional<CommitProtocol> protocol_;
  Result<void> stage(const ledger::Run& run, Logs needed);
  bool writes_may_be_lost_ = false;
  bool has_redo_ = true;
  bool has_undo_ = true;
};

/// Folders and files that a run may have left.
Result<void> remove_leftovers(const Environment& environment, const ledger::Run& run, bool with_undo);

/// The same after a run's last state: it has ended, whatever becomes of its leftovers, which the next sweep takes. Warns.
void clean_up(const Environment& environment, const ledger::Run& run, bool with_undo);

/// Bytes that the undo images of a run take, with what lies beside them.
std::uint64_t undo_size(const std::vector<RecordedDisk>& recorded);

/// "vda: 3.0 MiB are neither the old nor the new content (first at byte 1048576)"; empty when nothing is foreign.
std::string foreign_text(const std::vector<Standing>& standings);

}  // namespace vmpatch::engine
