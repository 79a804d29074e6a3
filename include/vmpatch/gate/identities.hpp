#pragma once
// Which disks have an identity, and how a set of them is written: everywhere the same, or nothing ever matches.

#include <map>
#include <string>

#include "vmpatch/image/identity.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::gate {

using Identities = std::map<std::string, image::DiskIdentity>;

/// Disks that the machine can write: device disk or lun, not read-only.
bool has_identity(const inventory::Disk& disk);

/// Identity of every such disk by target, all layers. A disk that cannot be read is left out and gets its `problem`. Backing
/// files may lie anywhere: nothing but their headers is read here.
Identities load_identities(inventory::Machine& machine);

/// {"vda": DiskIdentity JSON, …}, ordered by target.
Json to_json(const Identities& identities);
/// Empty when `recorded` names the same disks with the same content; else the first difference for people.
std::string difference(const Json& recorded, const Identities& now);
/// The only difference is ctime: what libvirt's change of ownership at a start that failed leaves behind.
bool only_ctime_moved(const Json& recorded, const Identities& now);

}  // namespace vmpatch::gate
