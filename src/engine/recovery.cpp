#include "engine/attest.hpp"
#include "engine/redo.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

using ledger::RunState;

constexpr std::uint32_t most_attempts = 3;

/// Brings one interrupted run to its end. Every step may be cut off and repeated.
class Recovery {
 public:
  Recovery(const Environment& environment, const ledger::Run& run) : environment_(environment), record_(environment, run) {}

  Recovered finish(bool retry_quarantined) {
    auto ended = end(retry_quarantined);
    if (!ended) return {record_.run(), "failed", ended.error().message};
    return {record_.run(), *ended, message_};
  }

 private:
  const ledger::Run& run() const { return record_.run(); }

  Result<std::string> end(bool retry_quarantined) {
    if (ledger::is_alive(run().holder)) {
      message_ = fmt::format("process {} still works on it", run().holder.pid);
      return "held";
    }
    if (run().state == RunState::quarantined && !retry_quarantined) {
      message_ = fmt::format("quarantined: {}; see the log, then run 'vm-patch recover --retry'", run().error);
      return "quarantined";
    }
    VMPATCH_TRY(const auto holder, ledger::this_holder());
    VMPATCH_CHECK(environment_.store.adopt(run().id, holder));
    if (run().state == RunState::committed) return attest();
    if (run().state == RunState::quarantined) VMPATCH_CHECK(record_.advance(RunState::committing));
    return run().state == RunState::committing ? redo() : discard();
  }

  Result<std::string> discard() {
    const auto state = std::string(ledger::to_string(run().state));
    VMPATCH_CHECK(remove_leftovers(environment_, run(), run().kind == "apply"));
    message_ = fmt::format("interrupted while {}; no disk had been written", state);
    VMPATCH_CHECK(record_.advance(RunState::discarded, Json::object(), message_));
    return "discarded";
  }

  Result<std::string> redo() {
    VMPATCH_TRY(const auto recorded, recorded_disks(run()));
    std::uint64_t changed = 0;
    auto after = redo_commit(environment_, run(), recorded, changed);
    if (!after) return give_up(after.error());
    VMPATCH_CHECK(record_.advance(RunState::committed, {{"after", to_json(*after)}}));
    VMPATCH_TRY(auto action, attest_identities(*after));
    message_ = fmt::format("the interrupted commit was done again ({})", format_size(changed));
    return std::string("redone");
  }

  // A busy disk or a passing fault is tried again next time; what cannot get better, or failed too often, is shut away.
  Result<std::string> give_up(const Error& error) {
    const bool hopeless = error.code == Errc::not_found || error.code == Errc::refused;
    const bool passes = error.code == Errc::busy || (!hopeless && run().recovery_attempts + 1 < most_attempts);
    if (passes) return error;
    message_ = error.message;
    VMPATCH_CHECK(record_.advance(RunState::quarantined, Json::object(), error.message));
    return "quarantined";
  }

  Result<std::string> attest() {
    const auto recorded = run().detail.find("after");
    if (recorded == run().detail.end()) return fail(Errc::failed, "run {}: the ledger has no identities after it", run().id);
    VMPATCH_TRY(const auto after, identities_from_json(*recorded));
    return attest_identities(after);
  }

  Result<std::string> attest_identities(const Identities& after) {
    const auto satisfied = run().detail.value("satisfied", Json::array());
    VMPATCH_TRY(const auto attestation, make_attestation(environment_, run().machine_uuid, run().machine_name, run().id, after,
                                                         satisfied));
    VMPATCH_CHECK(record_.attest(attestation));
    VMPATCH_CHECK(remove_leftovers(environment_, run(), false));
    message_ = "the finished commit was attested";
    return std::string("attested");
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

Result<std::size_t> expire_undo(const Environment& environment, Time before) {
  VMPATCH_TRY(const auto runs, environment.store.runs({}));
  std::size_t count = 0;
  for (const auto& run : runs) {
    const auto dir = environment.places.undo / run.id;
    if (!ledger::is_final(run.state) || run.updated >= before || !fs::exists(dir)) continue;
    VMPATCH_CHECK(remove_tree(dir));
    ++count;
  }
  return count;
}

}  // namespace vmpatch::engine
