#include "guest/direct/volumes.hpp"

#include <algorithm>

#include "guest/direct/partitions.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::direct {
namespace {

constexpr std::size_t cache_of_all_disks = 64U << 20U;
constexpr std::size_t max_disks = 256;
constexpr std::size_t max_volumes = 1024;

std::string disk_name(std::size_t index) {
  std::string letters;
  for (++index; index > 0; index = (index - 1) / 26)
    letters.insert(letters.begin(), static_cast<char>('a' + (index - 1) % 26));
  return "/dev/sd" + letters;
}

/// Opens an ext file system, and says why not.
Result<std::unique_ptr<ExtFileSystem>> open_ext(const Volume& volume, Deadline& deadline) {
  VMPATCH_TRY(const std::string superblock, volume.reader()(1024, 1024));
  VMPATCH_CHECK(check_ext_superblock(superblock, volume.length));
  return ExtFileSystem::open(volume, deadline);
}

/// Looks at one partition or whole disk.
Result<FoundVolume> look_at(const Volume& volume, std::string device, const Partition& partition, Deadline& deadline) {
  FoundVolume found;
  VMPATCH_TRY(found.signature, recognise(volume.length, volume.reader()));
  const Signature& signature = found.signature;
  found.about = {std::move(device), signature.type, signature.uuid, signature.label, partition.part_uuid, partition.part_label};
  found.about.names_known = !signature.type.empty() && signature.names_known;
  found.volume = volume;
  if (found.signature.is_ext()) {
    auto opened = open_ext(volume, deadline);
    if (opened) {
      found.fs = std::move(*opened);
    } else {
      if (opened.error().code == Errc::timeout) return std::move(opened).error();
      found.unreadable = opened.error().in(fmt::format("{} ({})", found.about.device, found.about.type));
    }
  } else if (!found.signature.type.empty()) {
    found.unreadable = fail(Errc::unsupported, "{}: {} is not read directly", found.about.device, found.signature.type);
  }
  return found;
}

Result<std::vector<FoundVolume>> look_at_table(Disk& disk, const std::string& name, const PartitionTable& table,
                                               Deadline& deadline) {
  std::vector<FoundVolume> found;
  for (const Partition& partition : table.partitions) {
    const Volume volume{&disk, partition.offset, partition.length};
    VMPATCH_TRY(auto one, look_at(volume, name + std::to_string(partition.number), partition, deadline));
    found.push_back(std::move(one));
  }
  return found;
}

bool nothing_recognised(const std::vector<FoundVolume>& volumes) {
  return std::all_of(volumes.begin(), volumes.end(), [](const FoundVolume& v) { return v.about.type.empty(); });
}

Result<std::vector<FoundVolume>> look_at_disk(Disk& disk, const std::string& name, Deadline& deadline) {
  const Volume whole{&disk, 0, disk.size()};
  VMPATCH_TRY(const PartitionTable table, read_partitions(disk.size(), whole.reader()));
  std::vector<FoundVolume> found;
  // The boot sector of a FAT or NTFS on the whole disk can pass for an MBR.
  if (table.kind != PartitionTable::Kind::gpt) {
    VMPATCH_TRY(auto on_disk, look_at(whole, name, Partition{}, deadline));
    const bool boot_sector =
        on_disk.about.type == "vfat" || on_disk.about.type == "ntfs" || on_disk.about.type == "exfat";
    if (table.partitions.empty() || boot_sector) {
      found.push_back(std::move(on_disk));
      return found;
    }
  }
  VMPATCH_TRY(found, look_at_table(disk, name, table, deadline));
  if (table.kind == PartitionTable::Kind::mbr && nothing_recognised(found)) {
    // An MBR does not say what its sectors are; where 512 bytes make no sense, 4096 may.
    const auto large = read_partitions(disk.size(), whole.reader(), 4096);
    if (large) {
      VMPATCH_TRY(auto again, look_at_table(disk, name, *large, deadline));
      if (!nothing_recognised(again)) return again;
    }
  }
  return found;
}

}  // namespace

bool Volumes::hibernated() const {
  return std::any_of(all.begin(), all.end(), [](const FoundVolume& v) { return v.about.type == "swsuspend"; });
}

std::vector<FileSystem> Volumes::file_systems() const {
  std::vector<FileSystem> list;
  std::transform(all.begin(), all.end(), std::back_inserter(list), [](const FoundVolume& v) { return v.about; });
  return list;
}

Result<Volumes> find_volumes(std::vector<Connection> connections, Deadline& deadline) {
  const std::size_t count = connections.size();
  if (count > max_disks) return fail(Errc::failed, "{} disks are more than {}", count, max_disks);
  Volumes volumes;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = disk_name(i);
    VMPATCH_TRY(auto disk, Disk::open(std::move(connections[i]), deadline, cache_of_all_disks / count));
    auto found = look_at_disk(*disk, name, deadline);
    if (!found) return found.error().in(name);
    volumes.disks.push_back(std::move(disk));
    std::move(found->begin(), found->end(), std::back_inserter(volumes.all));
    if (volumes.all.size() > max_volumes)
      return fail(Errc::failed, "the disks have more than {} partitions", max_volumes);
  }
  return volumes;
}

}  // namespace vmpatch::guest::direct
