// The way back from a published version: the definition names the old files again.
#include <fcntl.h>

#include "engine/attestable.hpp"
#include "engine/publication_end.hpp"
#include "engine/rollback_check.hpp"
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

class Demotion {
 public:
  Demotion(const Environment& environment, const ledger::Run& original, const inventory::Machine& machine)
      : environment_(environment), original_(original), machine_(machine), record_(environment, way_back_of(environment, original)),
        started_(environment.clock.now()) {}

  Result<Report> execute() {
    const SignalHold hold;
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

  Result<void> phases() {
    VMPATCH_CHECK(record_.create());
    step("taking the lease");
    VMPATCH_CHECK(find_old_files());
    VMPATCH_TRY(held_, HeldMachine::take(environment_, record_, Strategy::publish, machine_, {}, old_keys_));
    VMPATCH_CHECK(check_nobody_has_them());
    VMPATCH_TRY(const auto recorded, record_disks(held_->disks(), record_.work_dir(), record_.undo_dir()));
    auto detail = staged_detail(Strategy::publish, recorded, environment_.allowed_dirs);
    detail["before"] = reading::to_json(held_->identities());
    VMPATCH_CHECK(record_.advance(RunState::staged, detail));
    VMPATCH_CHECK(record_.advance(RunState::patched));
    VMPATCH_CHECK(prove());
    VMPATCH_CHECK(record_.advance(RunState::verified, {{"report", {{"dropped", to_json(may_.dropped)}}}, {"versions", to_json(versions_)}}));
    VMPATCH_CHECK(move_back());
    return attest();
  }

  /// Nobody writes them from now on, and nobody removes them. But whose they are is asked before they are the machine's again.
  Result<void> check_nobody_has_them() {
    std::vector<inventory::BareImage> images;
    for (const auto& version : versions_) images.push_back({version.to, version.format});
    VMPATCH_TRY(const auto users, environment_.users_of(images));
    for (const auto& user : users) {
      if (user.bare || user.uuid == machine_.uuid) continue;
      return fail(Errc::refused, "machine {}: its older version is a disk of {} now; give that one another image first", escape_untrusted(machine_.name),
                  escape_untrusted(user.name));
    }
    return {};
  }

  /// The files of before, as they are now, and locked.
  Result<void> find_old_files() {
    VMPATCH_TRY(const auto published, versions_of(original_));
    if (named_by(&machine_, published) != Named::new_files) {
      return fail(Errc::refused, "machine {} does not have the files that run {} gave it; roll back what was published later first ('vm-patch history')",
                  escape_untrusted(machine_.name), original_.id);
    }
    VMPATCH_TRY(const auto before, reading::identities_from_json(original_.detail.value("before", Json::object())));
    for (const auto& version : published) {
      const auto recorded = before.find(version.target);
      if (recorded == before.end() || recorded->second.empty()) return fail(Errc::failed, "run {} recorded no disk {}", original_.id, escape_untrusted(version.target));
      image::OpenPolicy policy;
      policy.allowed_dirs = environment_.allowed_dirs;
      VMPATCH_TRY(auto chain, image::Chain::open(version.from, version.format, policy));
      VMPATCH_TRY(const auto now, chain.identity());
      const auto id = image::file_id(now.front());
      if (id != image::file_id(recorded->second.front())) {
        return fail(Errc::refused, "{} is another file than the one that machine {} had before run {}", escape_untrusted(version.from.string()),
                    escape_untrusted(machine_.name), original_.id);
      }
      if (changed_.empty() && !is_as_written(recorded->second, now)) changed_ = image::first_difference(recorded->second, now);
      VMPATCH_TRY(auto lock, image::ChainLock::acquire(chain, image::Sharing::readers));
      versions_.push_back({version.target, version.to, version.from, {}, version.format, id});
      old_keys_.push_back("publish:" + id);
      old_.push_back({version.target, std::move(chain), std::move(lock), now});
    }
    return {};
  }

  const image::Chain& chain_afterwards(const reading::OpenDisk& now) const {
    for (const auto& old : old_) {
      if (old.target == now.target) return old.chain;
    }
    return now.chain;
  }

  Result<void> prove() {
    Earlier earlier;
    earlier.satisfied = original_.detail.value("satisfied_before", Json::array());
    if (earlier.satisfied.empty()) return {};
    if (!changed_.empty()) {
      may_ = nothing_attestable(earlier, "the old version was changed since: " + changed_);
      return {};
    }
    step("reading what will be there");
    VMPATCH_TRY(const auto scratch, reading::Scratch::make(environment_.places.scratch, record_.run().id.substr(0, 13)));
    VMPATCH_CHECK(make_dirs(environment_.places.logs, 0700));
    const UniqueFd log(::open((environment_.places.logs / (record_.run().id + ".log")).c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
    VMPATCH_TRY(auto server, image::BlockServer::start({scratch.path() / "nbd", log.get()}));
    guest::OpenRequest request;
    for (const auto& disk : held_->disks()) {
      VMPATCH_TRY(auto source, server.export_chain(chain_afterwards(disk), disk.target + "-prove"));
      request.disks.push_back({std::move(source), true});
    }
    request.work_dir = scratch.path();
    request.cache_dir = environment_.places.cache;
    request.log_fd = log.get();
    request.keep_going = check_interruption;
    may_ = attestable_on(environment_, machine_.name, earlier, request);
    return server.stop();
  }

  Result<void> move_back() {
    VMPATCH_CHECK(held_->check_alone(environment_, machine_, HeldMachine::before_writing));
    step("giving it its old files");
    VMPATCH_TRY(auto detail, committing_detail(environment_));
    detail.update({{"satisfied", may_.satisfied}, {"satisfied_before", original_.detail.value("satisfied", Json::array())}});
    VMPATCH_CHECK(record_.advance(RunState::committing, detail));
    const auto moved = environment_.move_disks(machine_, moves_of(versions_));
    moved_ = moved || moved.error().code != Errc::refused;
    VMPATCH_CHECK(moved);
    return environment_.on_transition ? environment_.on_transition("during", "published") : Result<void>();
  }

  Result<void> attest() {
    VMPATCH_TRY(const auto now, environment_.reread(machine_));
    VMPATCH_TRY(const auto settled, settle_published(environment_, now, versions_, old_, record_));
    report_.run_id = record_.run().id;
    report_.dropped = may_.dropped;
    for (const auto& version : versions_) report_.published.push_back({version.target, version.from, version.to});
    report_.duration = std::chrono::duration_cast<Seconds>(environment_.clock.now() - started_);
    auto detail = settled.detail;
    detail["report"] = to_json(report_);
    VMPATCH_CHECK(record_.advance(RunState::committed, detail));
    const auto& run = record_.run();
    VMPATCH_TRY(const auto attestation, make_attestation(environment_, run.machine_uuid, run.machine_name, run.id, settled.identities, may_.satisfied));
    return record_.attest(attestation);
  }

  Error end_failed(const Error& error) {
    if (moved_) return fail(Errc::recovery_needed, "rollback of run {}: {}; run 'vm-patch recover'", original_.id, error.message);
    if (auto noted = note_failed(environment_, record_, error); !noted) {
      return fail(Errc::recovery_needed, "rollback of run {}: {}; {}; run 'vm-patch recover'", original_.id, error.message, noted.error().message);
    }
    return error;
  }

  const Environment& environment_;
  const ledger::Run& original_;
  const inventory::Machine& machine_;
  RunRecord record_;
  Time started_;
  std::optional<HeldMachine> held_;
  std::vector<Version> versions_;            ///< `to` is the older one
  std::vector<HeldVersion> old_;             ///< the files that it is to have again
  std::vector<std::string> old_keys_;
  bool moved_ = false;                       ///< the definition names them, or may
  std::string changed_;                      ///< what is not as it was
  Attestable may_;
  Report report_;
};

}  // namespace

Result<Report> demote(const Environment& environment, const ledger::Run& original, const inventory::Machine& machine) {
  return Demotion(environment, original, machine).execute();
}

}  // namespace vmpatch::engine
