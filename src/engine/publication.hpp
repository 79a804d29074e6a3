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

/// New names for the disks that the run changed: those whose overlay holds anything. Each once.
Result<std::vector<Version>> name_versions(image::BlockServer& server, const std::vector<StagedDisk>& disks, const std::string& run_id);

/// A file that was made, or that a machine is to have again: no QEMU writes it as long as this lives.
struct HeldVersion {
  std::string target;
  image::Chain chain;
  image::ChainLock lock;
  image::DiskIdentity identity;  ///< what was compared, or looked at
};
/// What of an identity stays when a file gets another name, or another owner while a machine that stands on it runs or tries to.
[[nodiscard]] bool is_as_written(const image::DiskIdentity& before, const image::DiskIdentity& now);
struct WrittenVersion {
  HeldVersion held;
  std::uint64_t bytes = 0;
};
/// The whole content of an overlay as a file of its own, under `part`: written, durable, locked, read back and compared, with the attributes of
/// the image that it comes from; `id` is filled. `keep_going` is asked every now and then; its error ends it. Errc::refused where there is no room
/// beside `reserve`, which is looked at on the way, too.
Result<WrittenVersion> write_version(image::BlockServer& server, const StagedDisk& disk, Version& version, std::uint64_t reserve, const image::Progress& progress,
                                     const std::function<Result<void>()>& keep_going);
/// Gives it its name. Errc::refused: the name is taken, or somebody wrote to the file.
Result<void> show_version(const Version& version, HeldVersion& held);

/// The files of a run that came to nothing: those that the record names and nobody else made; one of another's stays. Idempotent.
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
/// Errors: busy (it is not dormant any more), failed (it does not have the new files, or they are not those that were held).
Result<Settled> settle_published(const Environment& environment, const inventory::Machine& now, const std::vector<Version>& versions,
                                 const std::vector<HeldVersion>& held, const RunRecord& record);

}  // namespace vmpatch::engine
