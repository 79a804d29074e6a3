#pragma once
// A patched form beside the images of a machine: files that were whole before they had their names, and one definition that names them. What
// others stand on is never written. Cost is that of a copy.

#include "engine/commit.hpp"
#include "vmpatch/inventory/control.hpp"

namespace vmpatch::engine {

/// Of one disk, as a run records it.
struct Version {
  std::string target;
  fs::path from;  ///< as the machine names its image now
  fs::path to;    ///< what it will name
  fs::path part;  ///< the name of `to` while it is written: hidden, and with the id of the run; empty = `to` was there before the run
  image::Format format = image::Format::raw;
  std::string id;  ///< image::file_id of the file; empty = it is not made yet
};
Json to_json(const std::vector<Version>& versions);
/// Of a run's detail "versions". Errc::failed when the record cannot be read.
Result<std::vector<Version>> versions_of(const ledger::Run& run);
std::vector<inventory::DiskMove> moves_of(const std::vector<Version>& versions);

/// New names for the disks that the run changed: those whose overlay holds anything.
Result<std::vector<Version>> name_versions(image::BlockServer& server, const std::vector<StagedDisk>& disks, const std::string& run_id);

/// The whole content of an overlay as a file of its own, under `part`: written, durable, read back and compared, with the attributes of
/// the image that it comes from; `id` is filled. Errc::refused where there is no room. Value: bytes.
Result<std::uint64_t> write_version(image::BlockServer& server, const StagedDisk& disk, Version& version, const image::Progress& progress);

/// The files of a run that came to nothing: those that the record names and nobody else made. Idempotent.
Result<void> remove_versions(const std::vector<Version>& versions);

/// What a machine's definition names.
enum class Named {
  old_files,  ///< each disk at `from`
  new_files,  ///< each at `to`
  others,     ///< something else, or there is no such machine any more
};
Named named_by(const inventory::Machine* machine, const std::vector<Version>& versions);

/// After the definition was changed, of the machine as it was read again: under locks on the new files that are held until this is gone.
struct Settled {
  std::vector<image::ChainLock> locks;
  reading::Identities identities;
  Json detail;  ///< for `committed`: "disks" (the new ones) and "after"
};
/// Errors: busy (it is not dormant any more), failed (it does not have the new files).
Result<Settled> settle_published(const Environment& environment, const inventory::Machine& now, const std::vector<Version>& versions,
                                 const RunRecord& record);

}  // namespace vmpatch::engine
