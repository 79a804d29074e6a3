#pragma once
// Assess, apply, verify, recover, roll back (DESIGN §4).

#include <optional>
#include <string>
#include <vector>

#include "vmpatch/engine/environment.hpp"
#include "vmpatch/plan/plan.hpp"

namespace vmpatch::engine {

/// A trusted recipe with the control data of its *.deb payloads.
struct Job {
  const recipe::TrustedRecipe& recipe;
  std::vector<plan::PayloadPackage> packages;
};

/// Reads the control data of every package payload from the store. Errc::untrusted when a payload does not hold, or when
/// this ledger has seen a higher version of the recipe, or the same version with another digest. From now on it has seen this one.
Result<Job> make_job(const recipe::TrustedRecipe& recipe, const recipe::PayloadStore& payloads, ledger::Store& store);

/// What is on a machine, read without writing a disk.
struct Inspection {
  guest::Facts facts;
  bool cached = false;  ///< from the cache: the disks have the identity that they had at `read`
  Time read{};
};
/// From environment.facts_cache when the disks did not change since, unless `fresh`; what was read is put there. Block
/// devices and images written within the last seconds are always read: their identity does not tell. Errc::busy when the
/// machine runs.
Result<Inspection> inspect(const ReadEnvironment& environment, const inventory::Machine& machine, bool fresh);

/// Reads the machine (unless obstacles forbid it) and plans. Errors are those of opening and reading the guest.
Result<plan::Plan> assess(const Environment& environment, const Job& job, const inventory::Machine& machine);

/// What it rests on that a recipe's packages are what the guest says: the recipe's own payloads, or where there is none the guest's own
/// lists, which its root can forge. The words of an attestation, and of a baseline.
enum class ProofKind { delivered, own_lists };
std::string_view to_string(ProofKind kind);  ///< "delivered", "own-lists"

/// A recipe that was attested for the machine before and is not any more.
struct DroppedRecipe {
  std::string id;
  std::uint32_t version = 0;
  std::string digest;  ///< hex, of its signed bytes
  std::string reason;  ///< one line, safe for a terminal
};
Json to_json(const std::vector<DroppedRecipe>& dropped);

/// What a run did. Its JSON (schema vm-patch/report/v1) is kept in Run::detail["report"].
struct Report {
  std::string run_id;  ///< empty when nothing had to be done
  plan::Plan plan;
  std::vector<std::string> kept_conffiles;  ///< the admin's version stayed; the new one lies beside as *.dpkg-dist
  std::vector<std::string> checks;          ///< what was verified, one line each
  std::uint64_t changed_bytes = 0;          ///< written into the base images
  Seconds duration{0};
  std::optional<ProofKind> proof;           ///< of a recipe that holds now
  std::vector<DroppedRecipe> dropped;
};
Json to_json(const Report& report);

/// One run on one machine. Every failure before `committing` leaves the base images untouched, removes the overlay and is in
/// the ledger. Outcomes satisfied and not_applicable are successes without a run; refused is Errc::refused.
Result<Report> apply(const Environment& environment, const Job& job, const inventory::Machine& machine);

/// Checks again, without writing a disk: every step's counterpart, every check, the files of its packages; and so for every recipe that
/// was attested before. Where all holds on a dormant machine a new attestation is recorded.
struct VerifyReport {
  bool applicable = true;
  std::vector<std::string> unmet;   ///< empty = holds
  std::vector<std::string> checks;  ///< what was verified
  bool attested = false;
  std::optional<ProofKind> proof;      ///< where it holds
  std::vector<DroppedRecipe> dropped;  ///< attested before, and left out of the new attestation
};
Result<VerifyReport> verify(const Environment& environment, const Job& job, const inventory::Machine& machine);

/// Result of one interrupted run.
struct Recovered {
  ledger::Run run;  ///< as it is now
  std::string action;  ///< discarded, redone, attested, quarantined, held (its process lives)
  std::string message;
};
/// Idempotent; may be killed at any point and be repeated. `retry_quarantined` tries those once more.
Result<std::vector<Recovered>> recover(const Environment& environment, bool retry_quarantined);

/// Puts the undo images of an attested run back by the same protocol. Refused when the disks changed since (identity).
Result<Report> rollback(const Environment& environment, const std::string& run_id, const inventory::Machine& machine);
/// Removes undo images of runs that finished before `before`.
Result<std::size_t> expire_undo(const Environment& environment, Time before);

}  // namespace vmpatch::engine
