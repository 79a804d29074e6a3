#include <fcntl.h>

#include "engine/attestable.hpp"
#include "engine/ending.hpp"
#include "engine/publication_end.hpp"
#include "engine/rollback_check.hpp"
#include "engine/write_out.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/interruption.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/engine/reserve.hpp"
#include "vmpatch/reading/scratch.hpp"

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

/// What held before the run, whose content comes back; older records name only what held after it.
Json satisfied_before(const ledger::Run& run) { return run.detail.value("satisfied_before", Json::array()); }

/// Errc::refused with the reason: what the run overwrote is no longer there to be taken.
Result<void> check_undo(const Environment& environment, const ledger::Run& run) {
  ledger::UndoFilter filter;
  filter.run_id = run.id;
  VMPATCH_TRY(const auto undos, environment.store.undos(filter));
  const auto state = undos.empty() ? ledger::UndoState::expired : undos.front().state;
  switch (state) {
    case ledger::UndoState::kept:
    case ledger::UndoState::in_use:  // the lease tells who, or use_undo() when that run has died
      return {};
    case ledger::UndoState::spent:
      return fail(Errc::refused, "run {} was rolled back already, by run {}; rolling that one back brings it again", run.id,
                  undos.front().used_by);
    case ledger::UndoState::expired: break;
  }
  return fail(Errc::refused,
              "the undo of run {} is not kept or has expired (configuration, undo_keep): what it overwrote is gone; a snapshot or backup of the "
              "machine from before {} is what is left",
              run.id, format_time(run.created));
}

/// The undo image is the redo log of the way back: same hold, same protocol, same recovery, and an undo of its own.
class Rollback {
 public:
  Rollback(const Environment& environment, const ledger::Run& original, const inventory::Machine& machine, RollbackOptions options)
      : environment_(environment),
        original_(original),
        machine_(machine),
        options_(options),
        record_(environment, way_back_of(environment, original)),
        started_(environment.clock.now()) {}

  Result<Report> execute() {
    const SignalHold hold;
    VMPATCH_TRY(original_disks_, recorded_disks(original_));
    VMPATCH_CHECK(make_reserve(environment_.run_places));
    if (auto done = phases(); !done) {
      if (!record_.exists()) return done.error();
      if (!ledger::is_final(record_.run().state)) return end_failed(done.error());
      environment_.log.warn("run {} has ended well, and then: {}", record_.run().id, done.error().message);
    }
    return report_;
  }

 private:
  void step(std::string_view text) { environment_.observer.step(machine_, text); }

  image::Progress progress() const {
    return [this](std::uint64_t done, std::uint64_t total) { environment_.observer.progress(machine_, done, total); };
  }

  CommitProtocol::Alone alone() const {
    return [this] { return held_->check_alone(environment_, machine_, HeldMachine::before_writing); };
  }
  Result<void> stayed_alone() const { return held_->check_alone(environment_, machine_, HeldMachine::after_writing); }

  Result<void> phases() {
    VMPATCH_CHECK(record_.create());
    step("taking the lease");
    VMPATCH_TRY(held_, HeldMachine::take(environment_, record_, Strategy::in_place, machine_, {}));
    VMPATCH_TRY(const auto last, check_order());
    VMPATCH_CHECK(environment_.store.use_undo(original_.id, record_.run().id));
    VMPATCH_CHECK(stage());
    VMPATCH_CHECK(check_written_since(last));
    VMPATCH_CHECK(record_.advance(RunState::patched));
    VMPATCH_CHECK(prove());
    VMPATCH_CHECK(record_.advance(RunState::verified, {{"report", {{"dropped", to_json(may_.dropped)}}}}));
    VMPATCH_CHECK(commit());
    return attest();
  }

  /// The newest run on these disks.
  Result<ledger::Run> check_order() {
    VMPATCH_TRY(const auto runs, attested_runs(environment_, original_));
    const auto later = later_runs(runs, original_.id);
    if (runs.empty()) return fail(Errc::failed, "run {} is in no list of runs on its disks", original_.id);
    if (later.empty()) return runs.back();
    return fail(Errc::refused, "machine {} was patched after run {}; roll back first, in this order: {}", escape_untrusted(machine_.name),
                original_.id, fmt::join(later, ", "));
  }

  Result<void> stage() {
    VMPATCH_TRY(recorded_, record_disks(held_->disks(), record_.work_dir(), record_.undo_dir()));
    if (recorded_.size() != original_disks_.size()) return other_disks();
    for (std::size_t i = 0; i < recorded_.size(); ++i) {
      const auto& of_original = original_disks_[i];
      const auto& disk = held_->disks()[i];
      VMPATCH_TRY(const auto identity, disk.chain.identity());
      // A rollback has no second log to compare with: what was recorded must tell.
      const bool same = of_original.target == disk.target && !of_original.only_inode && is_recorded_file(of_original, identity);
      if (!same) return other_disks();
      recorded_[i].overlay = of_original.undo;
      VMPATCH_TRY(auto redo, image::open_own_image(of_original.undo, of_original.virtual_size, false));
      staged_.push_back({disk, std::move(redo), {}, {}});
    }
    auto detail = staged_detail(Strategy::in_place, recorded_, environment_.allowed_dirs);
    detail["before"] = reading::to_json(held_->identities());
    VMPATCH_CHECK(record_.advance(RunState::staged, detail));
    VMPATCH_TRY(scratch_, reading::Scratch::make(environment_.places.scratch, record_.run().id.substr(0, 13)));
    VMPATCH_CHECK(make_dirs(environment_.places.logs, 0700));
    const auto log_path = environment_.places.logs / (record_.run().id + ".log");
    log_ = UniqueFd(::open(log_path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
    VMPATCH_TRY(server_, image::BlockServer::start({scratch_->path() / "nbd", log_.get()}));
    return {};
  }

  Error other_disks() const {
    return fail(Errc::refused, "machine {} has other disks than in run {}; what that run overwrote lies in {}",
                escape_untrusted(machine_.name), original_.id, (environment_.run_places.undo / original_.id).string());
  }

  /// Old blocks under newer data would destroy it. So what the run wrote is compared, always: a block device that was attached anew has the
  /// same identity whatever was written, and what came between two later runs is in the identity of neither.
  Result<void> check_written_since(const ledger::Run& last) {
    step("comparing with what the run wrote");
    const auto since = written_since(*server_, staged_, original_disks_);
    if (!since && since.error().code != Errc::not_found) return since.error();
    if (since && since->differing == 0) return {};
    damaged_ = options_.accept_loss;
    if (options_.accept_loss) return {};
    VMPATCH_TRY(const auto then, reading::identities_from_json(last.detail.value("after", Json::object())));
    const auto difference = reading::first_difference(then, held_->identities());
    const bool untouched = difference.empty() && last.id == original_.id && tells_of_writes(held_->identities());
    if (!since && untouched) return {};
    const auto amount = since ? fmt::format("{} of the {} that the run wrote are others now", format_size(since->differing), format_size(since->of))
                              : std::string("how much is not known");
    return fail(Errc::refused,
                "machine {} was written to since run {} ({}){}{}. 'vm-patch rollback {} --accept-loss' puts the old content back all the "
                "same: what was written there since is lost, and a file system that was used since will be damaged; the present content "
                "is kept, and comes back by rolling that rollback back",
                escape_untrusted(machine_.name), original_.id, amount, difference.empty() ? "" : ": ", difference, original_.id);
  }

  /// What held before may not hold on what comes back: somebody wrote beside the run's blocks, a key was revoked, a newer version was seen.
  /// What is not proved is not attested; the way back is open all the same.
  Result<void> prove() {
    Earlier earlier;
    earlier.satisfied = satisfied_before(original_);
    if (earlier.satisfied.empty()) return {};
    if (damaged_) {
      may_ = nothing_attestable(earlier, "the machine wrote over what comes back, so that its file systems may be damaged; check them");
      return {};
    }
    step("reading what will be there");
    guest::OpenRequest request;
    for (const auto& staged : staged_) {
      VMPATCH_TRY(auto source, server_->export_overlay(staged.disk.chain, staged.redo, staged.disk.target + "-prove", false));
      request.disks.push_back({std::move(source), true});
    }
    request.work_dir = scratch_->path();
    request.cache_dir = environment_.places.cache;
    request.log_fd = log_.get();
    request.keep_going = check_interruption;
    may_ = attestable_on(environment_, machine_.name, earlier, request);
    for (const auto& staged : staged_) VMPATCH_CHECK(server_->remove(staged.disk.target + "-prove"));
    return {};
  }

  Result<void> commit() {
    step("saving what will be overwritten");
    CommitProtocol protocol(*server_, staged_, progress(), alone());
    // Rolling this back brings the patch back.
    const Json detail{{"satisfied", may_.satisfied},
                      {"satisfied_before", original_.detail.value("satisfied", Json::array())},
                      {"undo", record_.undo_dir().string()}};
    VMPATCH_CHECK(write_out(environment_, record_, protocol, [this] { step("putting the old content back"); }, recorded_, detail, written_));
    report_.changed_bytes = written_.changed_bytes;
    VMPATCH_CHECK(server_->stop());
    server_.reset();
    return {};
  }

  Result<void> attest() {
    VMPATCH_TRY(const auto after, held_->identify_again());
    VMPATCH_CHECK(stayed_alone());
    report_.run_id = record_.run().id;
    report_.dropped = may_.dropped;
    report_.duration = std::chrono::duration_cast<Seconds>(environment_.clock.now() - started_);
    VMPATCH_CHECK(record_.advance_keeping_undo(RunState::committed, {{"after", reading::to_json(after)}, {"report", to_json(report_)}}, {}, written_.undo_bytes));
    const auto& run = record_.run();
    VMPATCH_TRY(const auto attestation, make_attestation(environment_, run.machine_uuid, run.machine_name, run.id, after, may_.satisfied));
    VMPATCH_CHECK(record_.attest(attestation));
    // Its undo image has done its duty.
    const auto removed = remove_tree(environment_.run_places.undo / original_.id);
    if (!removed) environment_.log.warn("{}", removed.error().message);
    return {};
  }

  Error needs_recovery(const Error& error) const {
    return fail(Errc::recovery_needed, "rollback of run {}: {}; {}run 'vm-patch recover'", original_.id, error.message,
                is_no_room(error) ? "make room, then " : "");
  }

  Error end_failed(const Error& error) {
    server_.reset();
    const auto state = record_.run().state;
    if (state == RunState::committed) return needs_recovery(error);
    if (state != RunState::committing) return end_unwritten(error);
    step("the rollback failed: putting the present content back");
    const auto back = go_back(environment_, record_, staged_, [this] { return stayed_alone(); }, {scratch_->path() / "back", log_.get()}, progress(), written_, error);
    return back.unwritten ? end_unwritten(back.error) : back.error.in(fmt::format("rollback of run {}", original_.id));
  }

  Error end_unwritten(const Error& error) {
    // As in an apply: room first, where nothing was written.
    const bool unwritten = record_.run().state != RunState::committing;
    const auto removed = unwritten ? remove_undo() : Result<void>();
    if (auto noted = note_failed(environment_, record_, error); !noted) return needs_recovery(noted.error().in(error.message));
    const auto removed_late = unwritten ? Result<void>() : remove_undo();
    if (!removed) return removed.error().in(error.message);
    return removed_late ? error : removed_late.error().in(error.message);
  }

  Result<void> remove_undo() {
    staged_.clear();
    return remove_tree(record_.undo_dir());
  }

  const Environment& environment_;
  const ledger::Run& original_;
  const inventory::Machine& machine_;
  RollbackOptions options_;
  RunRecord record_;
  Time started_;
  std::vector<RecordedDisk> original_disks_;
  std::vector<RecordedDisk> recorded_;
  std::optional<HeldMachine> held_;
  std::vector<StagedDisk> staged_;
  std::optional<reading::Scratch> scratch_;
  UniqueFd log_;
  std::optional<image::BlockServer> server_;
  bool damaged_ = false;  ///< what was written since will be overwritten
  Attestable may_;
  WrittenOut written_;
  Report report_;
};

}  // namespace

Result<Report> rollback(const Environment& environment, const std::string& run_id, const inventory::Machine& machine,
                        const RollbackOptions& options) {
  VMPATCH_TRY(const auto original, find_run(environment, run_id));
  if (original.state != RunState::attested) {
    return fail(Errc::refused, "run {} is a {} in state {}; only an attested one can be rolled back", run_id, original.kind,
                ledger::to_string(original.state));
  }
  if (original.machine_uuid != machine.uuid) {
    return fail(Errc::refused, "run {} was on machine {}, not on {}", run_id, escape_untrusted(original.machine_name),
                escape_untrusted(machine.name));
  }
  if (strategy_of(original) == Strategy::publish) return demote(environment, original, machine);
  VMPATCH_CHECK(check_undo(environment, original));
  return Rollback(environment, original, machine, options).execute();
}

}  // namespace vmpatch::engine
