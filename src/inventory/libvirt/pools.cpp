#include "inventory/libvirt/pools.hpp"

#include <algorithm>

#include "inventory/xml/pool.hpp"

namespace vmpatch::inventory::libvirt {
namespace {

constexpr unsigned kinds = VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE | VIR_CONNECT_LIST_STORAGE_POOLS_DIR |
                           VIR_CONNECT_LIST_STORAGE_POOLS_FS | VIR_CONNECT_LIST_STORAGE_POOLS_NETFS |
                           VIR_CONNECT_LIST_STORAGE_POOLS_LOGICAL;

void load_volumes(virStoragePool* pool, const std::string& name, const fs::path& folder, HostInventory& host) {
  virStorageVol** handles = nullptr;
  const int count = virStoragePoolListAllVolumes(pool, &handles, 0);
  if (count < 0) return;
  for (const auto& volume : take_handles<VolumePtr>(handles, count)) {
    // In these kinds of pools a volume is the entry of its name: no call for each one.
    const char* entry = virStorageVolGetName(volume.get());
    if (entry == nullptr) continue;
    const fs::path path = folder / entry;
    std::error_code error;
    const auto status = fs::status(path, error);
    if (status.type() != fs::file_type::regular && status.type() != fs::file_type::block) continue;
    const auto size = fs::file_size(path, error);
    host.volumes.push_back({host.host, name, path, error ? 0 : size});
  }
}

void load_pool(virStoragePool* pool, HostInventory& host) {
  const char* name = virStoragePoolGetName(pool);
  const std::string text = take_string(virStoragePoolGetXMLDesc(pool, 0));
  const auto folder = xml::parse_pool_folder(text, name == nullptr ? "" : name);
  if (!folder) return;
  std::error_code error;
  const fs::path canonical = fs::canonical(*folder, error);
  if (error) return;
  host.pool_dirs.push_back(canonical);
  load_volumes(pool, name == nullptr ? "" : name, canonical, host);
}

}  // namespace

void load_pools(virConnect* connection, HostInventory& host, Pulse& pulse) {
  virStoragePool** handles = nullptr;
  const int count = virConnectListAllStoragePools(connection, &handles, kinds);
  if (count < 0) return;
  for (const auto& pool : take_handles<PoolPtr>(handles, count)) {
    load_pool(pool.get(), host);
    pulse.beat();
  }
  std::sort(host.volumes.begin(), host.volumes.end(), [](const Orphan& a, const Orphan& b) { return a.path < b.path; });
}

}  // namespace vmpatch::inventory::libvirt
