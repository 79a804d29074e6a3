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

/// Identity of one, all layers. Backing files may lie anywhere: nothing but their headers is read here.
Result<image::DiskIdentity> load_identity(const inventory::Machine& machine, const inventory::Disk& disk);
/// Drives of this host, read-only ones too: a run may have written them, whatever machine they are in.
bool is_local_drive(const inventory::Disk& disk);

struct DiskFacts {
  Identities identities;  ///< of every disk that the machine can write, by target
  /// Durable keys of all layers of its local drives, as runs hold them (ledger::Run::disks): a disk that stands on one that is between
  /// old and new is no better than that one.
  std::vector<std::string> keys;
  std::vector<std::string> unknown;  ///< targets of local drives that have none, because they could not be read
};
/// A disk that cannot be read gets its `problem`, here and in add_disk().
DiskFacts load_disk_facts(inventory::Machine& machine);
void add_disk(DiskFacts& facts, inventory::Disk& disk, Result<image::DiskIdentity> identity);
Identities load_identities(inventory::Machine& machine);

/// {"vda": DiskIdentity JSON, …}, ordered by target.
Json to_json(const Identities& identities);
Result<Identities> identities_from_json(const Json& recorded);
/// Empty when `recorded` names the same disks with the same content; else the first difference for people.
std::string difference(const Json& recorded, const Identities& now);
/// The same for the disks that both have. Without a common one that is a difference, unless both have none at all.
std::string difference_of_common(const Json& recorded, const Identities& now);
/// One disk at two times: the file that the machine wrote is still in the chain, or the chain has shrunk to a part of it
/// (snapshots, block commit and block pull of a running machine). A copy in another file is another disk.
bool is_same_disk(const image::DiskIdentity& before, const image::DiskIdentity& now);
/// The only difference is ctime: what libvirt's change of ownership at a start that failed leaves behind.
bool only_ctime_moved(const Json& recorded, const Identities& now);

}  // namespace vmpatch::gate
