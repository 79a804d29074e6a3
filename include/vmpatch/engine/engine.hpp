#pragma once
// Assess, apply, verify, recover, roll back.

#include <map>
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

/// Reads the machine (unless obstacles forbid it) and plans. Errors are those of opening and reading the guest.
Result<plan::Plan> assess(const Environment& environment, const Job& job, const inventory::Machine& machine);

/// What it rests on that a recipe's packages are what the guest says. The words of an attestation; a baseline may demand the first.
enum class ProofKind {
  delivered,      ///< the recipe's own payloads, or signed content
  own_lists,      ///< where there is no payload the guest's own lists, which its root can forge
  not_installed,  ///< none of them is installed: nothing was compared
};
std::string_view to_string(ProofKind kind);  ///< "delivered", "own-lists", "not-installed"

/// A recipe that was attested for the machine before and is not any more.
struct DroppedRecipe {
  std::string id;
  std::uint32_t version = 0;
  std::string digest;  ///< hex, of its signed bytes
  std::string reason;  ///< one line, safe for a terminal
};
Json to_json(const std::vector<DroppedRecipe>& dropped);

/// What came of a boot proof; a machine that does not come up has no report, but a failed run.
struct BootOutcome {
  std::optional<proof::Sign> up;
  Seconds took{0};
  std::string skipped;  ///< why it was not started; escaped
};
Json to_json(const BootOutcome& outcome);

/// A disk that was not written: the patched form lies beside it, and the machine has that one now.
struct PublishedDisk {
  std::string target;
  fs::path from, to;
};

/// What a run did. Its JSON (schema vm-patch/report/v1) is kept in Run::detail["report"].
struct Report {
  std::string run_id;  ///< empty when nothing had to be done
  plan::Plan plan;
  std::vector<std::string> kept_conffiles;  ///< the admin's version stayed; the new one lies beside as *.dpkg-dist
  std::vector<std::string> put_back;        ///< files of the machine itself that a script of the patch had made or changed
  std::vector<std::string> remarks;         ///< what will happen at the machine's next start because of the patch
  std::vector<std::string> checks;          ///< what was verified, one line each
  std::uint64_t changed_bytes = 0;          ///< written into the base images, or into those of a new version
  Seconds duration{0};
  std::optional<BootOutcome> boot;          ///< where a boot proof was asked for
  std::optional<ProofKind> proof;           ///< of a recipe that holds now
  std::vector<DroppedRecipe> dropped;
  std::vector<PublishedDisk> published;
  std::vector<std::string> stale;  ///< who stands on the images that a published version took the place of
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
  /// discarded, redone, put back, attested, quarantined, held (its process lives), waiting (disks are absent or in use: tried again
  /// next time), failed (the same), kept (by choice).
  std::string action;
  std::string message;
};
/// Ends every interrupted run: what had not been written is discarded; a commit is looked at under the locks, and done again or, where
/// that cannot work, taken back. Where something else was written meanwhile, nothing is touched: quarantined. Idempotent; may be
/// killed at any point and be repeated. `retry_quarantined` looks at those once more.
Result<std::vector<Recovered>> recover(const Environment& environment, bool retry_quarantined);

/// How an operator ends a run that is committing or quarantined.
enum class WayOut {
  keep,    ///< what is on the disks stays as it is
  to_old,  ///< what was there before the run
  to_new,  ///< what the run was to write
};
/// What each way would lose, as the disks are now.
struct WaysOut {
  ledger::Run run;
  std::vector<std::string> disks;     ///< one line a disk: how much is old, new, neither
  std::vector<std::string> remarks;   ///< memory that was saved since, clones, a start
  std::map<WayOut, std::string> lost; ///< one sentence a way; a way that is not open is missing
};
/// Looks only. Errors: not_found (no such run), refused (it is neither committing nor quarantined, or its process lives), busy.
Result<WaysOut> ways_out(const Environment& environment, const std::string& run_id);
/// Ends it as chosen. What is overwritten is copied beside the undo images first, where somebody else wrote it or stands on it, and kept
/// until they expire; so is all that the run kept when the disks are left as they are. Errc::busy: the disks, or who uses them, are not
/// what was shown.
Result<Recovered> end_run(const Environment& environment, const WaysOut& shown, WayOut way);

struct RollbackOptions {
  /// Go on although the machine was written to since: what was written over the run's blocks is lost (and kept as the undo of
  /// this rollback).
  bool accept_loss = false;
};
/// Puts back what an attested run has overwritten, by the same protocol; the run must be the newest one on its disks that was not
/// rolled back itself. The rollback keeps an undo of its own. Errors: refused (later runs, with their ids; undo expired; written to
/// since, with how much).
Result<Report> rollback(const Environment& environment, const std::string& run_id, const inventory::Machine& machine,
                        const RollbackOptions& options);
/// Removes a file that a run of this machine published and that nobody needs any more: under locks, after a look at who names it or stands on it,
/// with an audit row before. Value: bytes of the file. Errors: refused (every reason; or it is another file than `id`, image::file_id), busy.
Result<std::uint64_t> prune_version(const Environment& environment, const inventory::Machine& machine, const fs::path& path, image::Format format,
                                    const std::string& id);
/// Removes undo images that are kept since before `before` and that nobody uses. Value: of how many runs.
Result<std::size_t> expire_undo(const Environment& environment, Time before);

}  // namespace vmpatch::engine
