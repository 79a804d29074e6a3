#pragma once
// A run's row in the ledger: what recovery needs, and its durable transitions. Detail schema: src/engine/README.md.

#include <map>
#include <optional>

#include "vmpatch/engine/engine.hpp"
#include "vmpatch/reading/disks.hpp"

namespace vmpatch::engine {

/// How a run writes its result. Recorded before anything is written, so that whoever recovers knows what it is looking at.
enum class Strategy {
  in_place,  ///< QEMU's block commit into the top layer; undo and overlay are the two allowed contents of every held block
  publish,   ///< no image is written: the machine is given other files (publication.hpp), and who stands on the old ones keeps them
};
std::string_view to_string(Strategy strategy);
Strategy strategy_for(const inventory::Machine& machine);
/// As recorded; in_place before it is.
Strategy strategy_of(const ledger::Run& run);

/// Where a commit goes to: to the overlay's content, or back to the undo image's.
enum class Direction { to_new, to_old };
std::string_view to_string(Direction direction);

/// One disk of a run as recorded.
struct RecordedDisk {
  std::string target;
  fs::path path;  ///< as the machine names it
  image::Format format = image::Format::raw;
  fs::path overlay;  ///< the redo log
  fs::path undo;     ///< what the redo log overwrites
  std::uint64_t virtual_size = 0;
  std::vector<std::string> layers;  ///< image::file_id of each, top first
  /// Of schema 1, which has no layers: inode of the top one. Its device number is worth nothing after a reboot.
  std::optional<std::uint64_t> only_inode = {};
};

Json to_json(const RecordedDisk& disk);
/// Errc::failed when the record cannot be read, refused when a newer vm-patch made it.
Result<std::vector<RecordedDisk>> recorded_disks(const ledger::Run& run);
/// The part of a run's detail that is written when it is staged.
Json staged_detail(Strategy strategy, const std::vector<RecordedDisk>& disks, const std::vector<fs::path>& allowed_dirs);
Result<std::vector<RecordedDisk>> record_disks(const std::vector<reading::OpenDisk>& disks, const fs::path& work_dir, const fs::path& undo_dir);
/// What is recorded at the point of no return: since when, in which boot of the host, and where to.
Result<Json> committing_detail(const Environment& environment);
/// The same files, layer by layer; their content may have changed. Of schema 1 only the inode of the top layer can tell (of a device nothing
/// but its path): it is enough for whoever compares the content with both logs, too.
bool is_recorded_file(const RecordedDisk& recorded, const image::DiskIdentity& now);

/// Folders for backing files, from the record.
std::vector<fs::path> recorded_dirs(const ledger::Run& run);
/// When the first byte may have been written; the end of time for a run that never got so far.
Time committing_since(const ledger::Run& run);
Direction direction_of(const ledger::Run& run);

/// An operator chose to overwrite what somebody else wrote, or stands on: the copy that was made of it keeps the undo folder.
bool has_lost(const ledger::Run& run);
/// Names of the copies in the undo folder by disk, newest last; the newest is what lay there at the last choice.
using LostNames = std::map<std::string, std::vector<std::string>>;
LostNames lost_names(const ledger::Run& run, const std::vector<RecordedDisk>& disks);
/// What was shown to the operator who chose; empty when nobody did.
std::vector<std::string> accepted_remarks(const ledger::Run& run);
/// Whether the host went down since: then writes that nobody had flushed may be lost.
Result<bool> host_went_down(const ledger::Run& run);

/// Durable names of the top layers: the disks that a lease is for. Who publishes writes none of them, and must not be taken for somebody who
/// does by those who stand on them: such a lease has names of its own, for whoever else would publish them.
std::vector<std::string> disk_keys(Strategy strategy, const reading::Identities& identities);
/// The same of the layers below, which are read, not written.
std::vector<std::string> backing_keys(const reading::Identities& identities);

class RunRecord {
 public:
  RunRecord(const Environment& environment, ledger::Run run) : environment_(environment), run_(std::move(run)) {}

  Result<void> create();  ///< fills the holder: this process
  [[nodiscard]] bool exists() const { return exists_; }  ///< in the ledger
  Result<void> lease(const std::vector<std::string>& disks);
  Result<void> advance(ledger::RunState to, const Json& detail = Json::object(), const std::string& error = {});
  Result<void> attest(const ledger::Attestation& attestation);
  /// advance(), and the undo folder comes into the list of those that are kept: one step.
  Result<void> advance_keeping_undo(ledger::RunState to, const Json& detail, const std::string& error, std::uint64_t undo_bytes);
  [[nodiscard]] const ledger::Run& run() const { return run_; }
  [[nodiscard]] fs::path work_dir() const { return environment_.run_places.runs / run_.id; }
  [[nodiscard]] fs::path undo_dir() const { return environment_.run_places.undo / run_.id; }

 private:
  Result<void> write(ledger::RunState to, const Json& detail, const std::string& error);
  Result<void> transition(ledger::RunState to, const std::function<Result<void>()>& act);

  const Environment& environment_;
  ledger::Run run_;
  bool exists_ = false;
};

}  // namespace vmpatch::engine
