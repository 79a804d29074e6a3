#include "guest/direct/name_cache.hpp"

namespace vmpatch::guest::direct {

NameCache::Folder& NameCache::folder_at(const Place& place) {
  const auto known = folders_.find(place);
  if (known != folders_.end()) {
    recent_.splice(recent_.begin(), recent_, known->second);
  } else {
    recent_.push_front({place, false, {}, {}});
    folders_.emplace(place, recent_.begin());
  }
  return recent_.front();
}

Result<void> NameCache::read_whole(Folder& folder) {
  VMPATCH_TRY(const auto entries, folder.place.first->entries(folder.place.second));
  folder.names.reserve(entries.size());
  for (const ExtEntry& entry : entries) {
    if (!folder.names.emplace(entry.name, entry.inode).second) folder.twice.insert(entry.name);
  }
  names_ += folder.names.size();
  folder.whole = true;
  return {};
}

/// The folder in use stays, unless it alone is too many: then it begins anew.
void NameCache::make_room() {
  while (names_ > max_names && recent_.size() > 1) {
    names_ -= recent_.back().names.size();
    folders_.erase(recent_.back().place);
    recent_.pop_back();
  }
  if (names_ <= max_names) return;
  recent_.clear();
  folders_.clear();
  names_ = 0;
}

Result<std::optional<InodeNumber>> NameCache::find(const Place& place, std::uint64_t size, const std::string& name) {
  Folder& folder = folder_at(place);
  // Names of a folder that is not whole are remembered as they were asked for.
  if (!folder.whole && folder.names.empty() && size <= small_folder) VMPATCH_CHECK(read_whole(folder));
  std::optional<InodeNumber> inode;
  if (const auto known = folder.names.find(name); known != folder.names.end()) {
    if (folder.twice.contains(name)) return ExtFileSystem::name_twice(place.second, name);
    inode = known->second;
  } else if (!folder.whole) {
    VMPATCH_TRY(inode, place.first->find(place.second, name));
    folder.names.emplace(name, inode);
    ++names_;
  }
  make_room();
  return inode;
}

}  // namespace vmpatch::guest::direct
