#pragma once
// The file systems of a guest joined at their mount points, and the walk along paths in them. Symbolic links and ".."
// never leave the guest's root, because names are only ever looked up from it.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "guest/bound_places.hpp"
#include "guest/direct/name_cache.hpp"

namespace vmpatch::guest::direct {

struct Node {
  ExtFileSystem* fs = nullptr;
  InodeNumber inode = 0;
  FileStat stat;
  unsigned mount = 0;  ///< by which mount it was reached: a file system may be seen at several places
};

/// The end of a walk.
struct Found {
  enum class How { node, missing, loop, blocked };  ///< loop: more than 40 symbolic links; blocked: not from resolve()
  How how = How::missing;
  Node node;
  std::optional<Error> why{};  ///< of blocked
  std::string path{};          ///< of node: the real one, without links; of missing: the real one up to what is missing, then as asked for
};

class Tree {
 public:
  static constexpr int max_links = 40;
  static constexpr std::size_t max_path = 4096;

  explicit Tree(ExtFileSystem& root) : root_(&root) {}

  /// What came of a mount: it is joined, there is no such directory (or no such source), it lies below a blocked place, or nobody can tell
  /// what it shows because of a bind mount (bound_places.hpp).
  enum class Joined { done, no_directory, hidden, entangled };
  /// Errors: those of resolve().
  Result<Joined> mount(const std::string& where, ExtFileSystem& fs);
  /// Everything from `where` down answers with `why`: a file system that cannot be read here, or is not there.
  Result<Joined> block(const std::string& where, Error why);
  /// The folder or file `from` is seen at `where`, too.
  Result<Joined> bind(const std::string& from, const std::string& where);

  /// `follow`: also the last component when it is a symbolic link. Errors: failed (damage, path too long), unsupported
  /// (what ExtFileSystem cannot read), timeout, and what a blocked mount point answers.
  Result<Found> resolve(const std::string& path, bool follow);
  /// Content of a directory, by name.
  Result<std::vector<ExtEntry>> list(const Node& directory);

 private:
  /// Of a mount point: by which mount it is reached, and its inode.
  using Point = std::pair<unsigned, InodeNumber>;
  struct Mount {
    ExtFileSystem* fs = nullptr;
    InodeNumber inode = 0;  ///< what is seen
    std::optional<Error> blocked;
    unsigned number = 0;
  };

  Result<Found> node_at(unsigned mount, ExtFileSystem& fs, InodeNumber inode);
  Result<Found> walk(const std::string& path, bool follow);
  void add(const Node& point, Mount mount);

  ExtFileSystem* root_;
  std::map<Point, Mount> mounts_;
  unsigned mounted_ = 0;
  BoundPlaces places_;
  /// Blocked places that are not on the disk: systemd makes missing mount points.
  std::vector<std::pair<std::string, Error>> without_place_;
  NameCache names_;
};

}  // namespace vmpatch::guest::direct
