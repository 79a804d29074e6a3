#include "inventory/libvirt/volumes.hpp"

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory::libvirt {
namespace {

void resolve_volume(virConnect* connection, Disk& disk) {
  const std::string what = fmt::format("find volume {} of storage pool {}", escape_untrusted(disk.volume), escape_untrusted(disk.pool));
  const PoolPtr pool(virStoragePoolLookupByName(connection, disk.pool.c_str()));
  const VolumePtr volume(pool ? virStorageVolLookupByName(pool.get(), disk.volume.c_str()) : nullptr);
  virStorageVolInfo info{};
  if (!volume || virStorageVolGetInfo(volume.get(), &info) != 0) {
    disk.problem = last_error(what).message;
  } else if (info.type == VIR_STORAGE_VOL_FILE || info.type == VIR_STORAGE_VOL_BLOCK) {
    disk.source = take_string(virStorageVolGetPath(volume.get()));
  }
}

}  // namespace

void resolve_volumes(virConnect* connection, std::vector<Disk>& disks) {
  for (Disk& disk : disks) {
    if (disk.source_kind == "volume" && disk.problem.empty()) resolve_volume(connection, disk);
  }
}

}  // namespace vmpatch::inventory::libvirt
