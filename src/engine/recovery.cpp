#include "engine/ending.hpp"
#include "engine/sweep.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

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
    if (ended) return {record_.run(), *ended, message_};
    const auto code = ended.error().code;
    const bool later = code == Errc::busy || code == Errc::not_found;
    return {record_.run(), later ? "waiting" : "failed", ended.error().message};
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
    VMPATCH_TRY(const auto holder, ledger::this_holder());
    VMPATCH_CHECK(environment_.store.adopt(run().id, holder));
    if (run().state == RunState::committed) return attest();
    const bool writes = run().state == RunState::committing || run().state == RunState::quarantined;
    return writes ? end_commit() : discard();
  }

  Result<std::string> discard() {
    const auto state = std::string(ledger::to_string(run().state));
    VMPATCH_CHECK(remove_leftovers(environment_, run(), true));
    message_ = fmt::format("interrupted while {}; no disk had been written", state);
    VMPATCH_CHECK(record_.advance(RunState::discarded, Json::object(), message_));
    return "discarded";
  }

  Result<std::string> end_commit() {
    auto unfinished = Unfinished::open(environment_, run(), Unfinished::Logs::both);
    if (!unfinished && unfinished.error().code == Errc::refused) return quarantine(unfinished.error().message);
    VMPATCH_CHECK(unfinished);
    if (!unfinished->remarks().empty()) return quarantine(fmt::format("{}", fmt::join(unfinished->remarks(), "; ")));
    auto standings = unfinished->look();
    if (!standings && standings.error().code == Errc::refused) return quarantine(standings.error().message);
    VMPATCH_CHECK(standings);
    if (const auto foreign = foreign_text(*standings); !foreign.empty()) {
      return quarantine(foreign + ": somebody wrote there since");
    }
    if (run().state == RunState::quarantined) VMPATCH_CHECK(record_.advance(RunState::committing));
    return write(*unfinished, direction_of(run()));
  }

  Result<std::string> write(Unfinished& unfinished, Direction direction) {
    const auto bytes = unfinished.protocol().write(direction);
    if (!bytes && direction == Direction::to_new && unfinished.protocol().has_written()) return give_up(unfinished, bytes.error());
    VMPATCH_CHECK(bytes);
    VMPATCH_TRY(const auto ended, end_written(environment_, record_, unfinished, direction, *bytes));
    message_ = ended.message;
    return ended.action;
  }

  /// A passing fault is tried again next time. What has no room, or failed too often, goes back to where it came from.
  Result<std::string> give_up(Unfinished& unfinished, const Error& error) {
    const auto failures = run().detail.value("failures", 0U) + 1;
    const bool no_room = error.message.find("No space left on device") != std::string::npos;
    if (!no_room && failures < most_failures) {
      VMPATCH_CHECK(record_.advance(RunState::committing, {{"failures", failures}}));
      return error;
    }
    environment_.log.warn("run {}: {}; putting the old content back", run().id, error.message);
    VMPATCH_CHECK(record_.advance(RunState::committing, {{"failures", failures}, {"direction", to_string(Direction::to_old)}}, error.message));
    return write(unfinished, Direction::to_old);
  }

  Result<std::string> quarantine(const std::string& reason) {
    message_ = reason;
    if (run().state != RunState::quarantined) VMPATCH_CHECK(record_.advance(RunState::quarantined, Json::object(), reason));
    return "quarantined";
  }

  Result<std::string> attest() {
    const auto recorded = run().detail.find("after");
    if (recorded == run().detail.end()) return fail(Errc::failed, "run {}: the ledger has no identities after it", run().id);
    VMPATCH_TRY(const auto after, identities_from_json(*recorded));
    VMPATCH_CHECK(attest_committed(environment_, record_, after));
    message_ = "the finished commit was attested";
    return "attested";
  }

  const Environment& environment_;
  RunRecord record_;
  std::string message_;
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
