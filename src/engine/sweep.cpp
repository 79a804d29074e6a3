#include "engine/sweep.hpp"

#include "vmpatch/core/file.hpp"
#include "vmpatch/reading/scratch.hpp"

namespace vmpatch::engine {
namespace {

Result<std::optional<ledger::Run>> find_run(const Environment& environment, const std::string& run_id) {
  ledger::RunFilter filter;
  filter.run_id = run_id;
  VMPATCH_TRY(auto runs, environment.store.runs(filter));
  return runs.empty() ? std::optional<ledger::Run>() : std::optional(std::move(runs.front()));
}

/// Kept, or read by a rollback. Runs from before there was a list are in no list.
Result<bool> is_needed(const Environment& environment, const ledger::Run& run) {
  VMPATCH_TRY(const auto undos, environment.store.undos({.run_id = run.id}));
  if (undos.empty()) return run.state == ledger::RunState::attested;
  return undos.front().state == ledger::UndoState::kept || undos.front().state == ledger::UndoState::in_use;
}

/// An operator left the disks as they were: the redo log goes with the undo.
Result<bool> keeps_redo(const Environment& environment, const ledger::Run& run) {
  if (run.detail.value("way_out", std::string()) != "keep") return false;
  return is_needed(environment, run);
}

std::vector<std::string> names_in(const fs::path& place) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(place, error)) names.push_back(entry.path().filename().string());
  return names;
}

}  // namespace

Result<void> sweep(const Environment& environment) {
  VMPATCH_CHECK(reading::remove_abandoned_scratch(environment.places.scratch));
  for (const auto& name : names_in(environment.run_places.runs)) {
    VMPATCH_TRY(const auto run, find_run(environment, name));
    if (!run || !ledger::is_final(run->state)) continue;
    VMPATCH_TRY(const bool kept, keeps_redo(environment, *run));
    if (!kept) VMPATCH_CHECK(remove_tree(environment.run_places.runs / name));
  }
  for (const auto& name : names_in(environment.run_places.undo)) {
    VMPATCH_TRY(const auto run, find_run(environment, name));
    if (!run || !ledger::is_final(run->state)) continue;
    VMPATCH_TRY(const bool needed, is_needed(environment, *run));
    if (!needed) VMPATCH_CHECK(remove_tree(environment.run_places.undo / name));
  }
  return {};
}

Result<std::size_t> expire_undo(const Environment& environment, Time before) {
  VMPATCH_TRY(const auto undos, environment.store.undos({.states = {ledger::UndoState::kept}, .created_before = before}));
  std::size_t count = 0;
  for (const auto& undo : undos) {
    // First the ledger, then the files: an image that is listed is whole.
    auto expired = environment.store.expire_undo(undo.run_id);
    if (!expired && expired.error().code == Errc::busy) continue;  // a rollback took it meanwhile
    VMPATCH_CHECK(expired);
    VMPATCH_CHECK(remove_tree(environment.run_places.undo / undo.run_id));
    VMPATCH_CHECK(remove_tree(environment.run_places.runs / undo.run_id));
    ++count;
  }
  return count;
}

}  // namespace vmpatch::engine
