#pragma once
// One run on one machine: the object holds everything that must live until the end, phases are its methods.

#include "engine/assessment.hpp"
#include "engine/attest.hpp"
#include "engine/placed_scripts.hpp"
#include "engine/publication.hpp"
#include "engine/run_record.hpp"
#include "engine/write_out.hpp"
#include "vmpatch/reading/scratch.hpp"

namespace vmpatch::engine {

class Run {
 public:
  Run(const Environment& environment, const Job& job, const inventory::Machine& machine, Assessment assessment);
  Result<Report> execute();

 private:
  Result<void> lease();
  Result<void> stage();
  Result<void> patch();
  Result<void> verify();
  /// Before anything is done: whether this host can start the machine, where that is asked for.
  Result<void> check_boot_proof();
  /// Starts the machine from an overlay of its overlay, which is thrown away: boot_proof.cpp.
  Result<void> prove_boot();
  Result<void> commit();
  Result<void> attest();
  /// In place of commit() and attest(): the machine gets files of its own (run_publish.cpp).
  Result<void> write_versions();
  Result<void> publish();
  Result<void> attest_published();
  Result<void> make_attested(const reading::Identities& after);
  Error take_back_published(const Error& error);
  Result<void> run_phases();
  Result<void> open_log();
  Result<void> check_space() const;
  Result<void> check_writable() const;
  Result<guest::OpenRequest> export_overlays(const std::string& suffix, bool writable);
  Result<void> remove_exports(const std::string& suffix);
  /// Whether what the machine starts from is another one than before; also where that cannot be told.
  Result<bool> is_boot_changed();
  Result<proof::BootReport> start_once(Seconds timeout);
  /// After a failure: ledger, overlay, undo. A commit that failed is taken back; what cannot be taken back stays for recovery.
  Error end_failed(const Error& error);
  Error end_unwritten(const Error& error);
  Result<void> remove_work();
  /// What ends a guest while it is waited for.
  Result<void> check_going_on() const;
  [[nodiscard]] Error needs_recovery(const Error& error) const;
  image::Progress progress() const;
  /// Looks again whether nobody else uses the machine: before writing, and after.
  CommitProtocol::Alone alone() const;
  Result<void> stayed_alone() const { return held_->check_alone(environment_, machine_, HeldMachine::after_writing); }
  void step(std::string_view text) { environment_.observer.step(machine_, text); }

  const Environment& environment_;
  const Job& job_;
  const inventory::Machine& machine_;
  Assessment assessment_;
  const Strategy strategy_;
  RunRecord record_;
  Report report_;
  Time started_;
  Json satisfied_;
  Earlier earlier_;  ///< what held before
  PlacedScripts placed_;
  UniqueFd log_fd_;
  std::optional<FileLog> log_;
  std::optional<reading::Scratch> scratch_;
  std::optional<HeldMachine> held_;
  std::vector<StagedDisk> staged_;
  WrittenOut written_;
  BootRule boot_;
  std::vector<RecordedDisk> recorded_;
  std::vector<Version> versions_;  ///< to be published
  std::vector<HeldVersion> held_versions_;  ///< the same, once they are made
  bool moved_ = false;             ///< the definition names them, or may
  std::optional<image::Chain> payload_disk_;
  std::optional<image::BlockServer> server_;
};

}  // namespace vmpatch::engine
