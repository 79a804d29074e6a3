#pragma once
// One run on one machine: the object holds everything that must live until the end, phases are its methods.

#include "engine/assessment.hpp"
#include "engine/attest.hpp"
#include "engine/commit.hpp"
#include "engine/placed_scripts.hpp"
#include "engine/run_record.hpp"

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
  Result<void> commit();
  Result<void> attest();
  Result<void> run_phases();
  Result<void> open_log();
  Result<void> check_space() const;
  Result<void> check_writable() const;
  Result<guest::OpenRequest> export_overlays(const std::string& suffix, bool writable);
  Result<void> remove_exports(const std::string& suffix);
  /// After a failure: ledger, overlay, undo. A commit that failed is taken back; what cannot be taken back stays for recovery.
  Error end_failed(const Error& error);
  Error end_unwritten(const Error& error);
  image::Progress progress() const;
  void step(std::string_view text) { environment_.observer.step(machine_, text); }

  const Environment& environment_;
  const Job& job_;
  const inventory::Machine& machine_;
  Assessment assessment_;
  RunRecord record_;
  Report report_;
  Time started_;
  Json satisfied_;
  Earlier earlier_;  ///< what held before
  PlacedScripts placed_;
  UniqueFd log_fd_;
  std::optional<FileLog> log_;
  std::optional<Scratch> scratch_;
  std::optional<HeldMachine> held_;
  std::vector<StagedDisk> staged_;
  std::uint64_t undo_bytes_ = 0;
  std::vector<RecordedDisk> recorded_;
  std::optional<image::Chain> payload_disk_;
  std::optional<image::BlockServer> server_;
};

}  // namespace vmpatch::engine
