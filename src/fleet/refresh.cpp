#include "vmpatch/fleet/refresh.hpp"

#include <algorithm>
#include <map>
#include <mutex>

#include "fleet/update_jobs.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/interruption.hpp"
#include "vmpatch/core/side_by_side.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/engine/attestation_keys.hpp"

namespace vmpatch::fleet {
namespace {

class Refresh {
 public:
  /// `key`: none for a dry run.
  Refresh(const Invocation& invocation, EngineSetup& setup, const RefreshOptions& options, Log& log, Repositories repositories,
          std::optional<trust::PrivateKey> key, const std::function<void(const Refreshed&)>& finished)
      : invocation_(invocation), setup_(setup), options_(options), log_(log), repositories_(std::move(repositories)), key_(std::move(key)),
        finished_(finished), rules_(setup.policy(), options.rules) {}

  Result<std::vector<Refreshed>> run(const std::vector<inventory::Machine>& machines) {
    for (const auto& machine : machines) all_.push_back({machine, RefreshOutcome::not_begun, {}, {}, {}, {}, Seconds(0)});
    pass_over();
    if (!options_.offline) repositories_.refresh();
    side_by_side(all_.size(), jobs(), [&](std::size_t i) { resolve(all_[i]); });
    if (!key_) return std::move(all_);
    UpdateJobs update_jobs(invocation_, setup_, repositories_, *key_);
    std::vector<std::pair<Refreshed*, const engine::Job*>> work;
    for (Refreshed& one : all_) {
      if (one.outcome != RefreshOutcome::planned) continue;
      one.outcome = RefreshOutcome::not_begun;
      if (is_over()) {
        finished_(one);
        continue;
      }
      log_.info("{}: fetching {} packages, {}", escape_untrusted(one.machine.name), one.update->update.changes.size(),
                format_size(one.update->update.download_size()));
      const auto job = update_jobs.job_for(*one.update);
      if (job) {
        work.emplace_back(&one, *job);
      } else {
        end(one, job.error());
      }
    }
    side_by_side(work.size(), jobs(), [&](std::size_t i) { apply(*work[i].first, *work[i].second); });
    return std::move(all_);
  }

 private:
  [[nodiscard]] unsigned jobs() const { return options_.jobs == 0 ? setup_.policy().jobs : options_.jobs; }

  [[nodiscard]] bool is_over() const {
    return (options_.until && invocation_.clock.now() >= *options_.until) || !check_interruption();
  }

  /// Nobody shuts a machine down for a refresh, and what the configuration leaves out is refreshed only where it is named, and a mode is asked for.
  void pass_over() {
    for (Refreshed& one : all_) {
      const auto rules = rules_.of(one.machine);
      if (!options_.pass_over) {
        if (rules.never && !options_.rules.mode) end(one, fail(Errc::refused, "{}: group {} is never refreshed (refresh: {{mode: never}} of the configuration); --mode says otherwise",
                                       escape_untrusted(one.machine.name), escape_untrusted(rules.group)));
        continue;
      }
      if (one.machine.state == inventory::State::shutoff && !rules.never) continue;
      one.outcome = RefreshOutcome::passed_over;
      one.note = rules.never ? fmt::format("group {} is never refreshed", escape_untrusted(rules.group)) : std::string(inventory::to_string(one.machine.state));
      finished_(one);
    }
  }

  /// A group in which too many failed gets no further one.
  bool is_halted(Refreshed& one, const MachineRules& rules) {
    if (!rules.halt_after || rules.group.empty()) return false;
    const std::lock_guard lock(mutex_);
    const auto failures = failures_[rules.group];
    if (failures < *rules.halt_after) return false;
    one.note = fmt::format("group {} was halted after {} failures", escape_untrusted(rules.group), failures);
    return true;
  }

  /// Of a patch that was begun: what was refused before touches nothing, and tells nothing of the next machine.
  void note_failure(const Refreshed& one) {
    const std::lock_guard lock(mutex_);
    ++failures_[rules_.of(one.machine).group];
  }

  void end(Refreshed& one, const Error& error) {
    one.outcome = RefreshOutcome::failed;
    one.error = error;
    finished_(one);
  }

  void resolve(Refreshed& one) {
    if (one.outcome == RefreshOutcome::passed_over || one.outcome == RefreshOutcome::failed) return;
    auto update = attempt(escape_untrusted(one.machine.name), [&] { return repositories_.update_of(setup_.reading(), one.machine, rules_.of(one.machine).rules, options_.fresh); });
    if (!update) return end(one, update.error());
    one.update = std::move(*update);
    if (one.update->obstacle) return end(one, *one.update->obstacle);
    const auto nothing = one.update->update.kept_back() > 0 ? RefreshOutcome::kept_back : RefreshOutcome::current;
    one.outcome = one.update->update.changes.empty() ? nothing : RefreshOutcome::planned;
    if (one.outcome != RefreshOutcome::planned || options_.dry_run) finished_(one);
  }

  void apply(Refreshed& one, const engine::Job& job) {
    if (is_over() || is_halted(one, rules_.of(one.machine))) return finished_(one);
    const auto begun = std::chrono::steady_clock::now();
    const auto what = fmt::format("{}: cut off in its middle, 'vm-patch recover' ends it", escape_untrusted(one.machine.name));
    auto report = attempt(what, [&] { return engine::apply(setup_.environment(), job, one.machine); });
    one.duration = std::chrono::duration_cast<Seconds>(std::chrono::steady_clock::now() - begun);
    if (!report) {
      note_failure(one);
      return end(one, report.error());
    }
    if (report->run_id.empty()) return end(one, fail(Errc::failed, "{}: it changed since it was read; refresh it again", escape_untrusted(one.machine.name)));
    one.outcome = RefreshOutcome::updated;
    one.report = std::move(*report);
    finished_(one);
  }

  const Invocation& invocation_;
  EngineSetup& setup_;
  const RefreshOptions& options_;
  Log& log_;
  Repositories repositories_;
  std::optional<trust::PrivateKey> key_;
  const std::function<void(const Refreshed&)>& finished_;
  std::vector<Refreshed> all_;
  RefreshRules rules_;
  std::mutex mutex_;
  std::map<std::string, unsigned> failures_;  ///< by group; "" of those that are in none
};

}  // namespace

std::string_view to_string(RefreshOutcome outcome) {
  switch (outcome) {
    case RefreshOutcome::current: return "current";
    case RefreshOutcome::kept_back: return "kept-back";
    case RefreshOutcome::updated: return "updated";
    case RefreshOutcome::planned: return "planned";
    case RefreshOutcome::passed_over: return "passed-over";
    case RefreshOutcome::not_begun: return "not-begun";
    case RefreshOutcome::failed: return "failed";
  }
  return "failed";
}

Result<std::vector<Refreshed>> refresh(const Invocation& invocation, EngineSetup& setup, const std::vector<inventory::Machine>& machines,
                                       const RefreshOptions& options, Log& log, const std::function<void(const Refreshed&)>& finished) {
  VMPATCH_TRY(auto repositories, Repositories::make(invocation, setup.policy(), log));
  // Before minutes of work that could not be signed.
  std::optional<trust::PrivateKey> key;
  if (!options.dry_run) {
    VMPATCH_TRY(key, load_refresher_key(invocation));
    VMPATCH_CHECK(engine::check_attestation_key(setup.environment().run_places));
  }
  auto lock = lock_file(invocation.paths.state / "refresh.lock");
  if (!lock) return lock.error().code == Errc::busy ? lock.error().in("another refresh runs") : lock.error();
  return Refresh(invocation, setup, options, log, std::move(repositories), std::move(key), finished).run(machines);
}

int exit_code_of(const std::vector<Refreshed>& all) {
  int code = 0;
  for (const auto grave : {Errc::recovery_needed, Errc::untrusted, Errc::busy, Errc::refused}) {
    for (const Refreshed& one : all) {
      if (one.error && one.error->code == grave) return exit_code(grave);
    }
  }
  for (const Refreshed& one : all) {
    if (one.error) return exit_code(one.error->code);
    if (one.outcome == RefreshOutcome::not_begun) code = 1;
    const bool more = one.outcome == RefreshOutcome::planned || (one.update && one.update->update.kept_back() > 0);
    if (more && code == 0) code = 3;
  }
  return code;
}

}  // namespace vmpatch::fleet
