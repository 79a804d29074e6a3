#pragma once
// The file systems of a guest joined at their mount points, and the walk along paths in them. Symbolic links and ".."
// never leave the guest's root, because names are only ever looked up from it.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "guest/direct/name_cache.hpp"

namespace vmpatch::guest::direct {

struct Node {
  ExtFileSystem* fs = nullptr;
  InodeNumber inode = 0;
  FileStat stat;
};

/// The end of a walk.
struct Found {
  enum class How { node, missing, loop, blocked };  ///< loop: more than 40 symbolic links; blocked: not from resolve()
  How how = How::missing;
  Node node;
  std::optional<Error> why{};  ///< of blocked
};

class Tree {
 public:
  static constexpr int max_links = 40;
  static constexpr std::size_t max_path = 4096;

  explicit Tree(ExtFileSystem& root) : root_(&root) {}

  /// What came of a mount: it is joined, there is no such directory, or it lies below a blocked place.
  enum class Joined { done, no_directory, hidden };
  /// Errors: those of resolve().
  Result<Joined> mount(const std::string& where, ExtFileSystem& fs);
  /// Everything from `where` down answers with `why`: a file system that cannot be read here, or is not there.
  Result<Joined> block(const std::string& where, Error why);

  /// `follow`: also the last component when it is a symbolic link. Errors: failed (damage, path too long), unsupported
  /// (what ExtFileSystem cannot read), timeout, and what a blocked mount point answers.
  Result<Found> resolve(const std::string& path, bool follow);
  /// Content of a directory, by name.
  Result<std::vector<ExtEntry>> list(const Node& directory);

 private:
  using Place = NameCache::Place;
  struct Mount {
    ExtFileSystem* fs = nullptr;
    std::optional<Error> blocked;
  };

  Result<Found> node_at(ExtFileSystem& fs, InodeNumber inode);
  Result<Found> walk(const std::string& path, bool follow);
  Result<Joined> add_mount(const std::string& where, Mount mount);

  ExtFileSystem* root_;
  std::map<Place, Mount> mounts_;
  NameCache names_;
};

}  // namespace vmpatch::guest::direct
