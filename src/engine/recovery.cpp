#include <algorithm>

#include "engine/publication_end.hpp"
#include "engine/sweep.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/engine/reserve.hpp"

namespace vmpatch::engine {
namespace {

using ledger::RunState;

constexpr std::uint32_t most_failures = 3;

/// Brings one interrupted run to its end. Every step may be cut off and repeated.
class Recovery {
 public:
  Recovery(const Environment& environment, const ledger::Run& run) : environment_(environment), record_(environment, run) {}

  Recovered finish(bool retry_quarantined) {
    auto ended = end(retry_quarantined);
    if (!ended && is_no_room(ended.error()) && give_back_reserve(environment_.run_places)) {
      no_room_ = ended.error();
      ended = end(retry_quarantined);
    }
    if (ended) return {record_.run(), *ended, message_};
    const auto code = ended.error().code;
    const bool later = code == Errc::busy || code == Errc::not_found;
    const auto remedy = is_no_room(ended.error()) ? "; make room, then run 'vm-patch recover'" : "";
    return {record_.run(), later ? "waiting" : "failed", ended.error().message + remedy};
  }

 private:
  const ledger::Run& run() const { return record_.run(); }

  Result<std::string> end(bool retry_quarantined) {
    if (ledger::is_alive(run().holder)) {
      message_ = fmt::format("process {} still works on it", run().holder.pid);
      return "held";
    }
    if (run().state == RunState::quarantined && !retry_quarantined) {
      message_ = fmt::format("quarantined: {}; 'vm-patch recover {}' shows the ways out", run().error, run().id);
      return "quarantined";
    }
    const bool writes = run().state == RunState::committing || run().state == RunState::quarantined;
    // What a newer version has recorded is not ours to move.
    if (writes) VMPATCH_CHECK(recorded_disks(run()));
    VMPATCH_TRY(const auto holder, ledger::this_holder());
    VMPATCH_CHECK(environment_.store.adopt(run().id, holder));
    if (run().state == RunState::committed) return attest();
    if (writes && strategy_of(run()) == Strategy::publish) return publish();
    return writes ? end_commit() : discard();
  }

  Result<std::string> discard() {
    const auto state = std::string(ledger::to_string(run().state));
    VMPATCH_TRY(const auto versions, versions_of(run()));
    VMPATCH_CHECK(remove_versions(versions));
    VMPATCH_CHECK(remove_leftovers(environment_, run(), true));
    message_ = fmt::format("interrupted while {}; no disk had been written", state);
    VMPATCH_CHECK(record_.advance(RunState::discarded, Json::object(), message_));
    return "discarded";
  }

  /// A log that is gone is a verdict; a folder that is not mounted is not.
  Result<void> check_folders() const {
    VMPATCH_TRY(const auto recorded, recorded_disks(run()));
    for (const auto& disk : recorded) {
      for (const auto& folder : {disk.overlay.parent_path(), disk.undo.parent_path()}) {
        std::error_code error;
        if (!fs::is_directory(folder, error)) return fail(Errc::not_found, "{} is not there, where the logs of run {} are; mount it", folder.string(), run().id);
      }
    }
    return {};
  }

  Result<std::string> end_commit() {
    VMPATCH_CHECK(check_folders());
    // A choice is gone on with: it took what was remarked then, and one log may have been all that it had.
    const bool chosen = run().detail.contains("way_out");
    auto unfinished = Unfinished::open(environment_, run(), chosen ? Unfinished::Logs::either : Unfinished::Logs::both);
    if (!unfinished && unfinished.error().code == Errc::refused) return quarantine(unfinished.error().message);
    VMPATCH_CHECK(unfinished);
    if (!unfinished->has_log_to(direction_of(run()))) return quarantine(fmt::format("the {} content is gone", to_string(direction_of(run()))));
    if (const auto remarks = new_remarks(*unfinished); !remarks.empty()) return quarantine(fmt::format("{}", fmt::join(remarks, "; ")));
    auto standings = unfinished->look();
    if (!standings && standings.error().code == Errc::refused) return quarantine(standings.error().message);
    VMPATCH_CHECK(standings);
    if (const auto foreign = foreign_text(*standings); !foreign.empty()) {
      return quarantine(foreign + ": somebody wrote there since");
    }
    if (run().state == RunState::quarantined) VMPATCH_CHECK(record_.advance(RunState::committing));
    // The room that was given back is for the ledger: what is still to be written must not take it.
    const bool written = std::all_of(standings->begin(), standings->end(), [](const auto& one) { return one.relation.as_first == 0; });
    const bool can_go_back = direction_of(run()) == Direction::to_new && unfinished->has_log_to(Direction::to_old);
    if (no_room_ && !written && can_go_back) return give_up(*unfinished, *no_room_);
    return write(*unfinished, direction_of(run()));
  }

  /// That nobody has seen and accepted yet.
  std::vector<std::string> new_remarks(const Unfinished& unfinished) const {
    auto remarks = unfinished.remarks();
    const auto accepted = accepted_remarks(run());
    std::erase_if(remarks, [&](const auto& remark) { return std::find(accepted.begin(), accepted.end(), remark) != accepted.end(); });
    return remarks;
  }

  Result<std::string> write(Unfinished& unfinished, Direction direction) {
    const auto bytes = unfinished.protocol().write(direction);
    const bool may_give_up = unfinished.protocol().has_written() && unfinished.has_log_to(Direction::to_old);
    if (!bytes && direction == Direction::to_new && may_give_up) return give_up(unfinished, bytes.error());
    VMPATCH_CHECK(bytes);
    VMPATCH_TRY(const auto ended, end_written(environment_, record_, unfinished, direction, *bytes));
    message_ = ended.message;
    return ended.action;
  }

  /// A passing fault is tried again next time. What has no room, or failed too often, goes back to where it came from.
  Result<std::string> give_up(Unfinished& unfinished, const Error& error) {
    const auto failures = run().detail.value("failures", 0U) + 1;
    const bool no_room = is_no_room(error);
    if (no_room) give_back_reserve(environment_.run_places);
    if (!no_room && failures < most_failures) {
      VMPATCH_CHECK(record_.advance(RunState::committing, {{"failures", failures}}));
      return error;
    }
    environment_.log.warn("run {}: {}; putting the old content back", run().id, error.message);
    const auto noted = record_.advance(RunState::committing, {{"failures", failures}, {"direction", to_string(Direction::to_old)}}, error.message);
    if (!noted && !is_no_room(noted.error())) return noted.error();
    return write(unfinished, Direction::to_old);
  }

  Result<std::string> quarantine(const std::string& reason) {
    message_ = reason;
    if (run().state != RunState::quarantined) VMPATCH_CHECK(record_.advance(RunState::quarantined, Json::object(), reason));
    return "quarantined";
  }

  Result<std::string> publish() {
    VMPATCH_TRY(const auto ended, end_publication(environment_, record_));
    message_ = ended.message;
    return ended.action;
  }

  Result<std::string> attest() {
    VMPATCH_TRY(const auto ended, attest_late(environment_, record_));
    message_ = ended.message;
    return ended.action;
  }

  const Environment& environment_;
  RunRecord record_;
  std::string message_;
  std::optional<Error> no_room_;  ///< for the ledger, before the reserve was given back
};

}  // namespace

Result<std::vector<Recovered>> recover(const Environment& environment, bool retry_quarantined) {
  ledger::RunFilter filter;
  filter.unfinished_only = true;
  VMPATCH_TRY(const auto runs, environment.store.runs(filter));
  std::vector<Recovered> all;
  for (const auto& run : runs) all.push_back(Recovery(environment, run).finish(retry_quarantined));
  if (auto swept = sweep(environment); !swept) environment.log.warn("leftovers of killed processes: {}", swept.error().message);
  return all;
}

}  // namespace vmpatch::engine
