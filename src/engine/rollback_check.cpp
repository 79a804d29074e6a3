#include "engine/rollback_check.hpp"

#include <algorithm>

#include "engine/written_digests.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::engine {

ledger::Run way_back_of(const Environment& environment, const ledger::Run& original) {
  ledger::Run run = original;
  run.id = random_uuid();
  run.kind = "rollback";
  run.state = ledger::RunState::planned;
  run.recovery_attempts = 0;
  run.error.clear();
  run.disks.clear();
  run.created = run.updated = environment.clock.now();
  run.detail = {{"of", original.id}};
  return run;
}

std::vector<std::string> later_runs(const std::vector<ledger::Run>& attested, const std::string& run_id) {
  std::vector<std::string> open;
  bool later = false;
  for (const auto& run : attested) {
    if (later) {
      const auto of = run.kind == "rollback" ? run.detail.value("of", std::string()) : std::string();
      if (!open.empty() && !of.empty() && open.back() == of) {
        open.pop_back();
      } else {
        open.push_back(run.id);
      }
    }
    later = later || run.id == run_id;
  }
  std::reverse(open.begin(), open.end());
  return open;
}

Result<std::vector<ledger::Run>> attested_runs(const Environment& environment, const ledger::Run& run) {
  ledger::RunFilter filter;
  filter.disks = run.disks;
  if (run.disks.empty()) filter.machine_uuid = run.machine_uuid;  // of before disks were recorded
  VMPATCH_TRY(auto runs, environment.store.runs(filter));
  std::erase_if(runs, [](const ledger::Run& one) { return one.state != ledger::RunState::attested; });
  std::reverse(runs.begin(), runs.end());
  return runs;
}

bool tells_of_writes(const reading::Identities& disks) {
  // A device has no inode: what its identity counts holds for one attachment in one boot.
  return std::all_of(disks.begin(), disks.end(), [](const auto& disk) { return !disk.second.empty() && disk.second.front().inode != 0; });
}

Result<WrittenSince> written_since(image::BlockServer& server, const std::vector<StagedDisk>& disks,
                                   const std::vector<RecordedDisk>& of_run) {
  WrittenSince sum;
  for (std::size_t i = 0; i < disks.size(); ++i) {
    const auto path = digests_path(of_run[i]);
    VMPATCH_TRY(const auto text, read_file(path, 1U << 30U));
    VMPATCH_TRY(const auto then, parse_digests(text, path.string()));
    std::vector<image::Extent> extents;
    for (const auto& entry : then) extents.push_back(entry.piece);
    const std::string name = disks[i].disk.target + "-now";
    VMPATCH_TRY(const auto exported, server.export_chain(disks[i].disk.chain, name));
    const auto now = image::digest_extents(exported, extents, {});
    VMPATCH_CHECK(server.remove(name));
    VMPATCH_CHECK(now);
    for (std::size_t piece = 0; piece < then.size(); ++piece) {
      sum.of += then[piece].piece.length;
      if (piece >= now->size() || (*now)[piece].digest != then[piece].digest) sum.differing += then[piece].piece.length;
    }
  }
  return sum;
}

}  // namespace vmpatch::engine
