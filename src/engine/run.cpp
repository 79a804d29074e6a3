#include "engine/run.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "engine/attestable.hpp"
#include "engine/ending.hpp"
#include "engine/patch.hpp"
#include "engine/payload_files.hpp"
#include "engine/verification.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/interruption.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"
#include "vmpatch/engine/reserve.hpp"
#include "vmpatch/reading/reading.hpp"

namespace vmpatch::engine {
namespace {

using ledger::RunState;

ledger::Run new_run(const Environment& environment, const Job& job, const inventory::Machine& machine) {
  ledger::Run run;
  run.id = random_uuid();
  run.kind = "apply";
  run.machine_uuid = machine.uuid;
  run.machine_name = machine.name;
  run.host = machine.host;
  run.recipe_id = job.recipe.get().id;
  run.recipe_version = job.recipe.get().version;
  run.recipe_digest = job.recipe.digest().hex();
  run.created = run.updated = environment.clock.now();
  run.detail = Json::object();
  return run;
}

Result<void> check_folder(const inventory::Machine& machine, const reading::OpenDisk& disk) {
  const auto folder = disk.source.parent_path();
  if (::access(folder.c_str(), W_OK | X_OK) == 0) return {};
  const std::string why = std::strerror(errno);
  return fail(Errc::refused, "machine {}: {} cannot be written, where its new version would lie: {}; run vm-patch as a user who may", escape_untrusted(machine.name),
              escape_untrusted(folder.string()), why);
}

std::string join(const std::vector<std::string>& lines) { return fmt::format("{}", fmt::join(lines, "; ")); }

}  // namespace

Run::Run(const Environment& environment, const Job& job, const inventory::Machine& machine, Assessment assessment)
    : environment_(environment),
      job_(job),
      machine_(machine),
      assessment_(std::move(assessment)),
      strategy_(strategy_for(machine)),
      record_(environment, new_run(environment, job, machine)),
      started_(environment.clock.now()) {
  report_.run_id = record_.run().id;
  report_.plan = assessment_.plan;
}

Result<Report> Run::execute() {
  const SignalHold hold;
  VMPATCH_CHECK(check_space());
  VMPATCH_CHECK(check_writable());
  VMPATCH_CHECK(check_boot_proof());
  VMPATCH_CHECK(make_reserve(environment_.run_places));
  VMPATCH_CHECK(open_log());
  if (auto done = run_phases(); !done) {
    if (!record_.exists()) return done.error();
    if (!ledger::is_final(record_.run().state)) return end_failed(done.error());
    environment_.log.warn("run {} has ended well, and then: {}", record_.run().id, done.error().message);
  }
  return report_;
}

Result<void> Run::run_phases() {
  VMPATCH_CHECK(record_.create());
  VMPATCH_CHECK(lease());
  VMPATCH_CHECK(stage());
  VMPATCH_CHECK(patch());
  VMPATCH_CHECK(verify());
  VMPATCH_CHECK(prove_boot());
  if (strategy_ == Strategy::publish) {
    VMPATCH_CHECK(write_versions());
    VMPATCH_CHECK(publish());
    return attest_published();
  }
  VMPATCH_CHECK(commit());
  return attest();
}

Result<void> Run::open_log() {
  VMPATCH_CHECK(make_dirs(environment_.places.logs, 0700));
  const auto path = environment_.places.logs / (record_.run().id + ".log");
  log_fd_ = UniqueFd(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
  if (!log_fd_) return errno_error(errno, path.string());
  log_.emplace(log_fd_.get(), environment_.log);
  return {};
}

Result<void> Run::check_space() const {
  VMPATCH_CHECK(make_dirs(environment_.run_places.runs, 0700));
  VMPATCH_TRY(const auto room, free_space(environment_.run_places.runs));
  const auto needed = assessment_.plan.space_needed + environment_.space_reserve;
  if (room >= needed) return {};
  return fail(Errc::refused, "machine {}: {} are free for the overlay in {}, {} are needed (with the reserve of {}); make room or use another --state-dir",
              escape_untrusted(machine_.name), format_size(room), environment_.run_places.runs.string(), format_size(needed),
              format_size(environment_.space_reserve));
}

Result<void> Run::check_going_on() const {
  VMPATCH_CHECK(check_interruption());
  // The estimate may have been too small, or somebody else fills the disk. Some of the reserve is left to end the run with.
  const auto floor = std::clamp<std::uint64_t>(environment_.space_reserve / 4, 1U << 20U, 256U << 20U);
  VMPATCH_TRY(const auto room, free_space(environment_.run_places.runs));
  if (room >= floor) return {};
  return fail(Errc::failed, "{} are free for the overlay in {}, less than {} (space_reserve is {}): ended before the disk is full; make room or use another --state-dir",
              format_size(room), environment_.run_places.runs.string(), format_size(floor), format_size(environment_.space_reserve));
}

// The overlay needs no right to write the image, the commit does: ask before the work, not at the point of no return.
Result<void> Run::check_writable() const {
  VMPATCH_TRY(const auto disks, reading::open_disks(machine_, environment_.allowed_dirs));
  for (const auto& disk : disks) {
    if (strategy_ == Strategy::publish) {
      VMPATCH_CHECK(check_folder(machine_, disk));
      continue;
    }
    if (const auto opened = disk.chain.open_top_writable(); !opened) {
      return fail(Errc::refused, "machine {}: {}; run vm-patch as a user who may write it", escape_untrusted(machine_.name),
                  opened.error().message);
    }
  }
  return {};
}

Result<void> Run::lease() {
  step("taking the lease");
  VMPATCH_TRY(held_, HeldMachine::take(environment_, record_, strategy_, machine_, assessment_.identities));
  VMPATCH_TRY(recorded_, record_disks(held_->disks(), record_.work_dir(), record_.undo_dir()));
  // What holds now holds again after a rollback.
  VMPATCH_TRY(earlier_, still_attested(environment_, machine_, held_->identities()));
  VMPATCH_TRY(placed_, placed_scripts(environment_, job_.recipe.get(), machine_, held_->disks()));
  return {};
}

Result<void> Run::stage() {
  step("making the overlay");
  VMPATCH_TRY(scratch_, reading::Scratch::make(environment_.places.scratch, record_.run().id.substr(0, 13)));
  auto detail = staged_detail(strategy_, recorded_, environment_.allowed_dirs);
  detail["before"] = reading::to_json(held_->identities());
  VMPATCH_CHECK(record_.advance(RunState::staged, detail));
  VMPATCH_CHECK(make_dirs(record_.work_dir(), 0700));
  for (std::size_t i = 0; i < held_->disks().size(); ++i) {
    const auto& disk = held_->disks()[i];
    VMPATCH_TRY(auto overlay, image::create_own_image(recorded_[i].overlay, disk.chain.virtual_size(), &disk.chain.top()));
    staged_.push_back({disk, std::move(overlay), {}, {}});
  }
  VMPATCH_TRY(const auto files, payload_files(job_, environment_.payloads, assessment_.plan, record_.work_dir()));
  if (!files.empty()) {
    const auto path = record_.work_dir() / "payloads.iso";
    VMPATCH_CHECK(write_payload_disk(path, files));
    VMPATCH_TRY(payload_disk_, image::Chain::open(path, image::Format::raw, {}));
  }
  VMPATCH_TRY(server_, image::BlockServer::start({scratch_->path() / "nbd", log_fd_.get()}));
  return {};
}

Result<guest::OpenRequest> Run::export_overlays(const std::string& suffix, bool writable) {
  guest::OpenRequest request;
  for (const auto& staged : staged_) {
    VMPATCH_TRY(auto source, server_->export_overlay(staged.disk.chain, staged.redo, staged.disk.target + suffix, writable));
    request.disks.push_back({std::move(source), !writable});
  }
  request.work_dir = scratch_->path();
  request.cache_dir = environment_.places.cache;
  request.log_fd = log_fd_.get();
  request.keep_going = [this] { return check_going_on(); };
  return request;
}

Result<void> Run::remove_exports(const std::string& suffix) {
  for (const auto& staged : staged_) VMPATCH_CHECK(server_->remove(staged.disk.target + suffix));
  return {};
}

Result<void> Run::patch() {
  step("launching the appliance");
  VMPATCH_TRY(auto request, export_overlays("-write", true));
  if (payload_disk_) {
    VMPATCH_TRY(request.payload_disk, server_->export_chain(*payload_disk_, "payloads"));
  }
  VMPATCH_TRY(auto guest, environment_.opener.open_write(request));
  const PatchContext context{environment_, job_, machine_, *assessment_.facts, placed_, payload_disk_.has_value(), *log_};
  VMPATCH_TRY(auto patched, patch_guest(context, *guest));
  guest.reset();
  // What the guest's kernel wrote late and could not, no program of it was told of.
  VMPATCH_CHECK(check_going_on());
  report_.kept_conffiles = std::move(patched.kept_conffiles);
  report_.put_back = std::move(patched.put_back);
  report_.remarks = std::move(patched.remarks);
  VMPATCH_CHECK(remove_exports("-write"));
  if (payload_disk_) VMPATCH_CHECK(server_->remove("payloads"));
  return record_.advance(RunState::patched);
}

Result<void> Run::verify() {
  step("verifying the overlay");
  VMPATCH_TRY(const auto request, export_overlays("-verify", false));
  VMPATCH_TRY(auto guest, environment_.opener.open_read(request));
  VMPATCH_TRY(const auto facts, reading::read_guest_facts(*guest, machine_));
  VMPATCH_TRY(auto proof, prove(job_, environment_.payloads, assessment_.plan, *assessment_.facts, *guest, facts, placed_));
  auto may = attestable(environment_, earlier_, HoldsNow{job_.recipe, proof.kind}, *guest, facts);
  VMPATCH_CHECK(guest->finish());
  guest.reset();
  VMPATCH_CHECK(remove_exports("-verify"));
  if (!proof.failures.empty()) {
    return fail(Errc::failed, "machine {}: verification failed: {}", escape_untrusted(machine_.name), join(proof.failures));
  }
  satisfied_ = std::move(may.satisfied);
  report_.dropped = std::move(may.dropped);
  report_.proof = proof.kind;
  report_.checks = std::move(proof.checks);
  report_.checks.emplace_back("file systems: clean");
  Json detail{{"report", to_json(report_)}};
  if (strategy_ == Strategy::publish) {
    VMPATCH_TRY(versions_, name_versions(*server_, staged_, record_.run().id));
    detail["versions"] = to_json(versions_);
  }
  return record_.advance(RunState::verified, detail);
}

CommitProtocol::Alone Run::alone() const {
  return [this] { return held_->check_alone(environment_, machine_, HeldMachine::before_writing); };
}

image::Progress Run::progress() const {
  return [this](std::uint64_t done, std::uint64_t total) { environment_.observer.progress(machine_, done, total); };
}

Result<void> Run::commit() {
  step("saving what will be overwritten");
  CommitProtocol protocol(*server_, staged_, progress(), alone());
  const Json detail{{"satisfied", satisfied_}, {"satisfied_before", earlier_.satisfied}, {"undo", record_.undo_dir().string()}};
  VMPATCH_CHECK(write_out(environment_, record_, protocol, [this] { step("committing"); }, recorded_, detail, written_));
  report_.changed_bytes = written_.changed_bytes;
  VMPATCH_CHECK(server_->stop());
  server_.reset();
  return {};
}

Result<void> Run::attest() {
  step("attesting");
  VMPATCH_TRY(const auto after, held_->identify_again());
  VMPATCH_CHECK(stayed_alone());
  report_.duration = std::chrono::duration_cast<Seconds>(environment_.clock.now() - started_);
  VMPATCH_CHECK(record_.advance_keeping_undo(RunState::committed, {{"after", reading::to_json(after)}, {"report", to_json(report_)}}, {}, written_.undo_bytes));
  return make_attested(after);
}

Result<void> Run::make_attested(const reading::Identities& after) {
  const auto& run = record_.run();
  VMPATCH_TRY(const auto attestation,
              make_attestation(environment_, run.machine_uuid, run.machine_name, run.id, after, satisfied_));
  VMPATCH_CHECK(record_.attest(attestation));
  // The run has ended well, whatever becomes of its leftovers: the next recovery sweeps them.
  if (auto removed = remove_tree(record_.work_dir()); !removed) environment_.log.warn("{}", removed.error().message);
  return {};
}

Error Run::end_failed(const Error& error) {
  server_.reset();
  const auto state = record_.run().state;
  if (state != RunState::committing && state != RunState::committed) return end_unwritten(error);
  log_->error("{}", error.message);
  if (state == RunState::committed) return needs_recovery(error);
  if (strategy_ == Strategy::publish) return take_back_published(error);
  step("the commit failed: putting the old content back");
  const auto back = go_back(environment_, record_, staged_, [this] { return stayed_alone(); }, {scratch_->path() / "back", log_fd_.get()}, progress(), written_, error);
  if (back.unwritten) return end_unwritten(back.error);
  log_->error("{}", back.error.message);
  return back.error.in(fmt::format("machine {}", escape_untrusted(machine_.name)));
}

Error Run::needs_recovery(const Error& error) const {
  return fail(Errc::recovery_needed, "machine {}: interrupted while {}: {}; {}run 'vm-patch recover'", escape_untrusted(machine_.name),
              ledger::to_string(record_.run().state), error.message, is_no_room(error) ? "make room, then " : "");
}

Error Run::end_unwritten(const Error& error) {
  log_->debug("run {} failed: {}", record_.run().id, error.message);
  // Where nothing was committed the overlay is worth nothing, and a full disk has no room for a word until it is gone. Who is cut off in
  // between leaves a run that recovery discards. After a commit that was taken back the ledger comes first: until then recovery needs both.
  const bool unwritten = record_.run().state != RunState::committing;
  const auto removed = unwritten ? remove_work() : Result<void>();
  if (auto noted = note_failed(environment_, record_, error); !noted) {
    return needs_recovery(noted.error().in(error.message));
  }
  const auto removed_late = unwritten ? Result<void>() : remove_work();
  if (!removed) return removed.error().in(error.message);
  return removed_late ? error : removed_late.error().in(error.message);
}

Result<void> Run::remove_work() {
  // A file's room is free when nobody has it open any more.
  staged_.clear();
  payload_disk_.reset();
  held_versions_.clear();
  VMPATCH_CHECK(remove_versions(versions_));
  for (const auto& dir : {record_.work_dir(), record_.undo_dir()}) VMPATCH_CHECK(remove_tree(dir));
  return {};
}

}  // namespace vmpatch::engine
