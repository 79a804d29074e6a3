// Ending a run by an operator's choice, where it cannot be ended without one.
#include "engine/ending.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

using ledger::RunState;

Result<ledger::Run> find_open_run(const Environment& environment, const std::string& run_id) {
  ledger::RunFilter filter;
  filter.run_id = run_id;
  VMPATCH_TRY(auto runs, environment.store.runs(filter));
  if (runs.empty()) return fail(Errc::not_found, "no run {} in the ledger; 'vm-patch history' lists them", escape_untrusted(run_id));
  auto run = std::move(runs.front());
  if (run.state != RunState::committing && run.state != RunState::quarantined) {
    return fail(Errc::refused, "run {} is {}: there is nothing to choose; 'vm-patch recover' ends what was interrupted", run.id,
                ledger::to_string(run.state));
  }
  if (!ledger::is_alive(run.holder)) return run;
  return fail(Errc::busy, "process {} still works on run {}; wait for it to end", run.holder.pid, run.id);
}

std::string describe(const Standing& standing) {
  const auto& at = standing.relation;
  auto text = fmt::format("{}: {} as before the run, {} as the run was to write", escape_untrusted(standing.target),
                          format_size(at.as_first), format_size(at.as_second));
  if (at.as_both > 0) text += fmt::format(", {} alike in both", format_size(at.as_both));
  if (standing.foreign > 0) {
    text += fmt::format(", {} NEITHER (first at byte {})", format_size(standing.foreign), at.first_other.value_or(0));
  }
  return text;
}

std::uint64_t foreign_of(const std::vector<Standing>& standings) {
  std::uint64_t sum = 0;
  for (const auto& standing : standings) sum += standing.foreign;
  return sum;
}

constexpr const char* keeps =
    "what is on the disks stays, in part old and in part new; the way to the old and to the new content is lost with it";

std::string overwrites(std::string_view what, std::uint64_t foreign) {
  if (foreign == 0) return fmt::format("the disks get the {} content; nothing is lost", what);
  return fmt::format("the disks get the {} content: {} that somebody else wrote since are overwritten (a copy is kept with the undo images), "
                     "and a file system that was used since will be damaged; nothing is attested",
                     what, format_size(foreign));
}

Result<void> adopt(const Environment& environment, const ledger::Run& run) {
  VMPATCH_TRY(const auto holder, ledger::this_holder());
  return environment.store.adopt(run.id, holder);
}

Result<Recovered> keep(const Environment& environment, RunRecord& record) {
  const std::string note = "ended by choice: the disks were left as they were, unattested";
  if (record.run().state == RunState::committing) VMPATCH_CHECK(record.advance(RunState::quarantined, Json::object(), note));
  VMPATCH_CHECK(record.advance(RunState::discarded, {{"way_out", "keep"}}, note));
  clean_up(environment, record.run(), true);
  return Recovered{record.run(), "kept", note};
}

Result<Recovered> write(const Environment& environment, RunRecord& record, Direction direction) {
  VMPATCH_TRY(auto unfinished, Unfinished::open(environment, record.run(), Unfinished::Logs::either));
  if (direction == Direction::to_new ? !unfinished.has_redo() : !unfinished.has_undo()) {
    return fail(Errc::refused, "the {} content of run {} is gone", to_string(direction), record.run().id);
  }
  VMPATCH_TRY(const auto standings, unfinished.look());
  const bool foreign = foreign_of(standings) > 0;
  Json detail{{"direction", to_string(direction)}, {"way_out", to_string(direction)}};
  if (foreign) {
    VMPATCH_CHECK(unfinished.protocol().keep_lost(unfinished.recorded()));
    detail["lost"] = true;
  }
  // Beside what is held somebody else may have written anything: then the proof that the run made is worth nothing.
  if (foreign || !unfinished.remarks().empty()) detail["unproven"] = true;
  VMPATCH_CHECK(record.advance(RunState::committing, detail));
  VMPATCH_TRY(const auto bytes, unfinished.protocol().write(direction));
  VMPATCH_TRY(auto ended, end_written(environment, record, unfinished, direction, bytes));
  return Recovered{record.run(), std::move(ended.action), std::move(ended.message)};
}

}  // namespace

Result<WaysOut> ways_out(const Environment& environment, const std::string& run_id) {
  WaysOut ways;
  VMPATCH_TRY(ways.run, find_open_run(environment, run_id));
  ways.lost[WayOut::keep] = keeps;
  auto unfinished = Unfinished::open(environment, ways.run, Unfinished::Logs::either);
  if (!unfinished && unfinished.error().code == Errc::busy) return unfinished.error();
  if (!unfinished) {
    ways.remarks.push_back(unfinished.error().message);
    return ways;
  }
  ways.remarks = unfinished->remarks();
  auto standings = unfinished->look();
  if (!standings) {
    ways.remarks.push_back(standings.error().message);
    return ways;
  }
  for (const auto& standing : *standings) ways.disks.push_back(describe(standing));
  if (unfinished->has_undo()) ways.lost[WayOut::to_old] = overwrites("old", foreign_of(*standings));
  if (unfinished->has_redo()) ways.lost[WayOut::to_new] = overwrites("new", foreign_of(*standings));
  return ways;
}

Result<Recovered> end_run(const Environment& environment, const std::string& run_id, WayOut way) {
  VMPATCH_TRY(const auto run, find_open_run(environment, run_id));
  RunRecord record(environment, run);
  VMPATCH_CHECK(adopt(environment, run));
  switch (way) {
    case WayOut::keep: return keep(environment, record);
    case WayOut::to_old: return write(environment, record, Direction::to_old);
    case WayOut::to_new: return write(environment, record, Direction::to_new);
  }
  return fail(Errc::usage, "no such way out");
}

}  // namespace vmpatch::engine
