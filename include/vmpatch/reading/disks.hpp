#pragma once
// The disks of one machine, opened through the one door.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "vmpatch/core/json_fwd.hpp"
#include "vmpatch/image/locks.hpp"
#include "vmpatch/inventory/source.hpp"

namespace vmpatch::reading {

namespace fs = std::filesystem;

struct OpenDisk {
  std::string target;
  fs::path source;  ///< as the machine names it: /dev/vg/web01 lasts, the /dev/dm-3 behind it does not
  image::Chain chain;
};

/// Every disk that the machine can write, in the order of its XML. Refused when there is none.
Result<std::vector<OpenDisk>> open_disks(const inventory::Machine& machine, const std::vector<fs::path>& allowed_dirs);

using Identities = std::map<std::string, image::DiskIdentity>;
Result<Identities> identify(const std::vector<OpenDisk>& disks);
Json to_json(const Identities& identities);
Result<Identities> identities_from_json(const Json& json);
/// Empty when all match; else the first difference, with the disk's name.
std::string first_difference(const Identities& before, const Identities& now);

/// `nobody` before writing: then not even a reader of a top layer is tolerated.
Result<std::vector<image::ChainLock>> lock_disks(const std::vector<OpenDisk>& disks, image::Sharing sharing);

}  // namespace vmpatch::reading
