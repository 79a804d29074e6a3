#include "inventory/left/pools.hpp"

#include "inventory/left/regular_file.hpp"
#include "inventory/xml/pool.hpp"

namespace vmpatch::inventory {
namespace {

constexpr std::uint64_t max_xml = 4U << 20U;

std::optional<std::string> read(const fs::path& path) {
  const auto file = open_regular(path, Links::followed);
  if (!file) return std::nullopt;
  auto text = read_range(*file, 0, max_xml + 1);
  return text ? std::optional(std::move(*text)) : std::nullopt;
}

}  // namespace

std::optional<fs::path> Pools::path_of(const Disk& disk) {
  if (disk.pool.empty() || disk.volume.empty() || (disk.pool + disk.volume).find('/') != std::string::npos) return std::nullopt;
  auto known = known_.find(disk.pool);
  if (known == known_.end()) known = known_.emplace(disk.pool, load(disk.pool)).first;
  if (!known->second) return std::nullopt;
  return *known->second / disk.volume;
}

std::optional<fs::path> Pools::load(const std::string& pool) const {
  if (const auto text = read(folders_.pool_status / (pool + ".xml"))) {
    if (auto folder = xml::parse_pool_status_folder(*text, pool)) return std::move(*folder);
  }
  if (const auto text = read(folders_.pools / (pool + ".xml"))) {
    if (auto folder = xml::parse_pool_folder(*text, pool)) return std::move(*folder);
  }
  return std::nullopt;
}

void resolve_volumes(Machine& machine, const LibvirtFolders& folders) {
  Pools pools(folders);
  for (Disk& disk : machine.disks) {
    if (disk.source_kind == "volume" && !disk.source) disk.source = pools.path_of(disk);
  }
}

}  // namespace vmpatch::inventory
