#pragma once
// Names that paths led through. A small folder is remembered as a whole; of a large one only the names that were asked
// for, so that a folder of a million names is not held in memory. Every name is looked for to the end of its folder: it must be there once.

#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "guest/direct/ext_file_system.hpp"

namespace vmpatch::guest::direct {

class NameCache {
 public:
  using Place = std::pair<ExtFileSystem*, InodeNumber>;
  static constexpr std::size_t max_names = 400'000;        ///< in all; the folders used longest ago go first
  static constexpr std::uint64_t small_folder = 1U << 20U;  ///< bytes

  /// The inode of `name` in the folder, which has `size` bytes; nullopt where there is no such name. Errors: those of
  /// ExtFileSystem.
  Result<std::optional<InodeNumber>> find(const Place& place, std::uint64_t size, const std::string& name);

 private:
  struct Folder {
    Place place;
    bool whole = false;
    std::unordered_map<std::string, std::optional<InodeNumber>> names;  ///< nullopt: known to be missing
    std::set<std::string> twice;  ///< of a whole folder: what asking for is an error
  };

  Folder& folder_at(const Place& place);
  Result<void> read_whole(Folder& folder);
  void make_room();

  std::list<Folder> recent_;  ///< most recently used first
  std::map<Place, std::list<Folder>::iterator> folders_;
  std::size_t names_ = 0;
};

}  // namespace vmpatch::guest::direct
