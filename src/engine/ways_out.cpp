// Ending a run by an operator's choice, where it cannot be ended without one.
#include <set>

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

/// Where both logs lie: of a rollback the redo log is another run's undo.
std::string log_folders(const ledger::Run& run) {
  std::set<std::string> folders;
  const auto recorded = recorded_disks(run);
  if (!recorded) return "the state directory";
  for (const auto& disk : *recorded) folders.insert({disk.overlay.parent_path().string(), disk.undo.parent_path().string()});
  return fmt::format("{}", fmt::join(folders, " and "));
}

std::string keeps(const ledger::Run& run) {
  return fmt::format("what is on the disks stays, it may be in part old and in part new, and is not attested; what the run kept of the old content "
                     "and of the new one stays until the undo expires, in {}, for whoever puts it back by hand",
                     log_folders(run));
}

std::string overwrites(std::string_view what, std::uint64_t foreign, const std::vector<std::string>& remarks) {
  auto text = fmt::format("the disks get the {} content", what);
  if (foreign == 0 && remarks.empty()) return text + "; nothing is lost";
  if (foreign > 0) {
    text += fmt::format(": {} that somebody else wrote since are overwritten, and a file system that was used since will be damaged",
                        format_size(foreign));
  }
  if (!remarks.empty()) text += fmt::format("; what stands on the disks as they are now is damaged ({})", fmt::join(remarks, "; "));
  return text + "; a copy of what is overwritten is kept with the undo images, and nothing is attested";
}

Result<void> adopt(const Environment& environment, const ledger::Run& run) {
  VMPATCH_TRY(const auto holder, ledger::this_holder());
  return environment.store.adopt(run.id, holder);
}

/// Nothing is removed: the disks may be between old and new, or only be absent, and both logs may be the one way to either.
Result<Recovered> keep(RunRecord& record) {
  std::string note = "ended by choice: the disks were left as they were, unattested";
  if (record.run().state == RunState::committing) VMPATCH_CHECK(record.advance(RunState::quarantined, Json::object(), note));
  if (strategy_of(record.run()) == Strategy::publish) {
    VMPATCH_CHECK(record.advance(RunState::discarded, {{"way_out", "keep"}}, "ended by choice: definition and files were left as they were, unattested"));
    return Recovered{record.run(), "kept", record.run().error};
  }
  const auto recorded = recorded_disks(record.run());
  const auto bytes = recorded ? undo_size(*recorded) : 0;
  VMPATCH_CHECK(record.advance_keeping_undo(RunState::discarded, {{"way_out", "keep"}}, note, bytes));
  note += "; what the run kept lies in " + log_folders(record.run());
  return Recovered{record.run(), "kept", note};
}

/// What is about to be overwritten is copied first, under names that the choice records.
Result<Json> keep_copies(Unfinished& unfinished, const ledger::Run& run) {
  VMPATCH_TRY(const auto copies, unfinished.protocol().keep_lost(unfinished.recorded()));
  auto names = lost_names(run, unfinished.recorded());
  for (std::size_t i = 0; i < copies.size(); ++i) names[unfinished.recorded()[i].target].push_back(copies[i].filename().string());
  // Beside what is held somebody else may have written anything: then the proof that the run made is worth nothing.
  return Json{{"lost", true}, {"lost_files", names}, {"unproven", true}};
}

std::vector<std::string> describe_all(const std::vector<Standing>& standings) {
  std::vector<std::string> lines;
  for (const auto& standing : standings) lines.push_back(describe(standing));
  return lines;
}

Result<Recovered> write(const Environment& environment, RunRecord& record, Direction direction, const WaysOut& shown) {
  VMPATCH_TRY(auto unfinished, Unfinished::open(environment, record.run(), Unfinished::Logs::either));
  if (!unfinished.has_log_to(direction)) {
    return fail(Errc::refused, "the {} content of run {} is gone", to_string(direction), record.run().id);
  }
  VMPATCH_TRY(const auto standings, unfinished.look());
  const auto& remarks = unfinished.remarks();
  if (remarks != shown.remarks || describe_all(standings) != shown.disks) {
    return fail(Errc::busy, "the disks of run {} are others than a moment ago; look again: vm-patch recover {}", record.run().id, record.run().id);
  }
  Json detail{{"direction", to_string(direction)}, {"way_out", to_string(direction)}, {"accepted", remarks}};
  if (foreign_of(standings) > 0 || !remarks.empty()) {
    VMPATCH_TRY(const auto copies, keep_copies(unfinished, record.run()));
    detail.update(copies);
  }
  VMPATCH_CHECK(record.advance(RunState::committing, detail));
  VMPATCH_TRY(const auto bytes, unfinished.protocol().write(direction));
  VMPATCH_TRY(auto ended, end_written(environment, record, unfinished, direction, bytes));
  return Recovered{record.run(), std::move(ended.action), std::move(ended.message)};
}

}  // namespace

Result<WaysOut> ways_out(const Environment& environment, const std::string& run_id) {
  WaysOut ways;
  VMPATCH_TRY(ways.run, find_open_run(environment, run_id));
  if (strategy_of(ways.run) == Strategy::publish) {
    ways.remarks.emplace_back("it publishes a new version and has written no image; 'vm-patch recover' ends it by what the machine's definition names");
    ways.lost[WayOut::keep] = "the definition and all files stay as they are, unattested";
    return ways;
  }
  ways.lost[WayOut::keep] = keeps(ways.run);
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
  ways.disks = describe_all(*standings);
  for (const auto& [way, direction] : {std::pair(WayOut::to_old, Direction::to_old), std::pair(WayOut::to_new, Direction::to_new)}) {
    if (unfinished->has_log_to(direction)) ways.lost[way] = overwrites(to_string(direction), foreign_of(*standings), ways.remarks);
  }
  return ways;
}

Result<Recovered> end_run(const Environment& environment, const WaysOut& shown, WayOut way) {
  VMPATCH_TRY(const auto run, find_open_run(environment, shown.run.id));
  RunRecord record(environment, run);
  if (strategy_of(run) == Strategy::publish && way != WayOut::keep) {
    return fail(Errc::refused, "run {} publishes a new version and has written no image: it has no other way out than 'keep'", run.id);
  }
  VMPATCH_CHECK(adopt(environment, run));
  switch (way) {
    case WayOut::keep: return keep(record);
    case WayOut::to_old: return write(environment, record, Direction::to_old, shown);
    case WayOut::to_new: return write(environment, record, Direction::to_new, shown);
  }
  return fail(Errc::usage, "no such way out");
}

}  // namespace vmpatch::engine
