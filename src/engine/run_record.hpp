#pragma once
// A run's row in the ledger: what recovery needs, and its durable transitions. Detail schema: src/engine/README.md.

#include "engine/disks.hpp"
#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

/// One disk of a run as recorded.
struct RecordedDisk {
  std::string target;
  fs::path path;
  image::Format format = image::Format::raw;
  fs::path overlay;
  fs::path undo;
  std::uint64_t virtual_size = 0;
  std::uint64_t device = 0;  ///< of the top layer: the file must still be this one when a commit is redone
  std::uint64_t inode = 0;
};

Json to_json(const RecordedDisk& disk);
Result<std::vector<RecordedDisk>> recorded_disks(const ledger::Run& run);
std::vector<RecordedDisk> record_disks(const std::vector<OpenDisk>& disks, const fs::path& work_dir, const fs::path& undo_dir);

class RunRecord {
 public:
  RunRecord(const Environment& environment, ledger::Run run) : environment_(environment), run_(std::move(run)) {}

  Result<void> create();  ///< fills the holder: this process
  Result<void> lease();
  Result<void> advance(ledger::RunState to, const Json& detail = Json::object(), const std::string& error = {});
  Result<void> attest(const ledger::Attestation& attestation);
  [[nodiscard]] const ledger::Run& run() const { return run_; }
  [[nodiscard]] fs::path work_dir() const { return environment_.places.runs / run_.id; }
  [[nodiscard]] fs::path undo_dir() const { return environment_.places.undo / run_.id; }

 private:
  Result<void> transition(ledger::RunState to, const std::function<Result<void>()>& act);

  const Environment& environment_;
  ledger::Run run_;
};

}  // namespace vmpatch::engine
