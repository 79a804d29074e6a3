#include "guest/direct/tree.hpp"

#include <algorithm>

#include "guest/mount_kinds.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::direct {
namespace {

constexpr std::size_t max_stacked_mounts = 16;

/// Puts the components of `path` on `pending`, the first one last.
void push_components(std::vector<std::string>& pending, std::string_view path) {
  const std::size_t before = pending.size();
  for (const std::string_view part : split(path, '/')) {
    if (!part.empty() && part != ".") pending.emplace_back(part);
  }
  std::reverse(pending.begin() + static_cast<std::ptrdiff_t>(before), pending.end());
}

std::string path_of(const std::vector<std::string>& names) {
  std::string path;
  for (const std::string& name : names) path += "/" + name;
  return path.empty() ? "/" : path;
}

}  // namespace

Result<Found> Tree::node_at(unsigned mount, ExtFileSystem& fs, InodeNumber inode) {
  ExtFileSystem* seen = &fs;
  for (std::size_t i = 0; i < max_stacked_mounts; ++i) {
    const auto above = mounts_.find({mount, inode});
    if (above == mounts_.end()) break;
    if (above->second.blocked) return Found{Found::How::blocked, {}, above->second.blocked};
    mount = above->second.number;
    seen = above->second.fs;
    inode = above->second.inode;
  }
  VMPATCH_TRY(const FileStat stat, seen->stat(inode));
  return Found{Found::How::node, Node{seen, inode, stat, mount}};
}

Result<Found> Tree::resolve(const std::string& path, bool follow) {
  VMPATCH_TRY(Found found, walk(path, follow));
  if (found.how == Found::How::blocked) return std::move(*found.why);
  if (found.how == Found::How::missing) {
    for (const auto& [where, why] : without_place_) {
      if (is_at_or_below(found.path, where)) return why;
    }
  }
  return found;
}

Result<Found> Tree::walk(const std::string& path, bool follow) {
  if (path.empty() || path.front() != '/')
    return fail(Errc::failed, "guest path {} is not absolute", escape_untrusted(path));
  if (path.size() > max_path) return fail(Errc::failed, "guest path of {} bytes is too long", path.size());
  VMPATCH_TRY(const Found root, node_at(0, *root_, ExtFileSystem::root));
  if (root.how != Found::How::node) return root;
  std::vector<Node> way{root.node};
  std::vector<std::string> names;  // of the way, without the root
  std::vector<std::string> pending;
  push_components(pending, path);
  int links = 0;
  while (!pending.empty()) {
    std::string name = std::move(pending.back());
    pending.pop_back();
    // Also for "..": /file/.. does not exist.
    if (way.back().stat.kind != FileKind::directory) return Found{};
    if (name == "..") {
      if (names.empty()) continue;
      way.pop_back();
      names.pop_back();
      continue;
    }
    const Node& folder = way.back();
    VMPATCH_TRY(const auto inode, names_.find({folder.fs, folder.inode}, folder.stat.size, name));
    if (!inode) {
      names.push_back(std::move(name));
      names.insert(names.end(), pending.rbegin(), pending.rend());
      return Found{Found::How::missing, {}, std::nullopt, path_of(names)};
    }
    VMPATCH_TRY(Found there, node_at(folder.mount, *folder.fs, *inode));
    if (there.how != Found::How::node) return there;
    Node next = std::move(there.node);
    if (next.stat.kind != FileKind::symlink || (pending.empty() && !follow)) {
      way.push_back(std::move(next));
      names.push_back(std::move(name));
      continue;
    }
    if (++links > max_links) return Found{Found::How::loop, {}};
    VMPATCH_TRY(const std::string target, next.fs->link_target(next.inode));
    if (target.empty()) return Found{};
    if (target.front() == '/') {
      way.resize(1);
      names.clear();
    }
    push_components(pending, target);
  }
  return Found{Found::How::node, way.back(), std::nullopt, path_of(names)};
}

Result<std::vector<ExtEntry>> Tree::list(const Node& directory) {
  VMPATCH_TRY(auto entries, directory.fs->entries(directory.inode));
  std::sort(entries.begin(), entries.end(), [](const ExtEntry& a, const ExtEntry& b) { return a.name < b.name; });
  const auto twin = std::adjacent_find(entries.begin(), entries.end(), [](const ExtEntry& a, const ExtEntry& b) { return a.name == b.name; });
  if (twin != entries.end()) return ExtFileSystem::name_twice(directory.inode, twin->name);
  for (ExtEntry& entry : entries) {
    if (entry.kind != FileKind::unknown) continue;
    VMPATCH_TRY(const FileStat stat, directory.fs->stat(entry.inode));
    entry.kind = stat.kind;
  }
  return entries;
}

void Tree::add(const Node& point, Mount mount) {
  mount.number = ++mounted_;
  mounts_.insert_or_assign(Point{point.mount, point.inode}, std::move(mount));
}

Result<Tree::Joined> Tree::mount(const std::string& where, ExtFileSystem& fs) {
  VMPATCH_TRY(const Found found, walk(where, true));
  if (found.how == Found::How::blocked) return Joined::hidden;
  if (found.how != Found::How::node || found.node.stat.kind != FileKind::directory) return Joined::no_directory;
  if (!places_.allows(found.path)) return Joined::entangled;
  places_.add(found.path);
  add(found.node, {&fs, ExtFileSystem::root, std::nullopt});
  return Joined::done;
}

Result<Tree::Joined> Tree::block(const std::string& where, Error why) {
  VMPATCH_TRY(const Found found, walk(where, true));
  if (found.how == Found::How::blocked) return Joined::hidden;
  if (found.how != Found::How::node) {
    if (found.how == Found::How::missing && !found.path.empty()) without_place_.emplace_back(found.path, std::move(why));
    return Joined::no_directory;
  }
  add(found.node, {nullptr, 0, why});
  for (const std::string& other : places_.elsewhere(found.path)) {
    VMPATCH_TRY(const Found there, walk(other, true));
    if (there.how == Found::How::node) add(there.node, {nullptr, 0, why});
  }
  return Joined::done;
}

Result<Tree::Joined> Tree::bind(const std::string& from, const std::string& where) {
  VMPATCH_TRY(const Found source, walk(from, true));
  VMPATCH_TRY(const Found point, walk(where, true));
  if (source.how == Found::How::blocked || point.how == Found::How::blocked) return Joined::hidden;
  if (source.how != Found::How::node || point.how != Found::How::node) return Joined::no_directory;
  if ((source.node.stat.kind == FileKind::directory) != (point.node.stat.kind == FileKind::directory)) return Joined::no_directory;
  if (source.path == point.path) return Joined::done;
  if (!places_.allows_bind(source.path, point.path)) return Joined::entangled;
  places_.add_bind(source.path, point.path);
  add(point.node, {source.node.fs, source.node.inode, std::nullopt});
  return Joined::done;
}

}  // namespace vmpatch::guest::direct
