#include "guest/direct/tree.hpp"

#include <algorithm>

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

}  // namespace

Result<Found> Tree::node_at(ExtFileSystem& fs, InodeNumber inode) {
  Place place{&fs, inode};
  for (std::size_t i = 0; i < max_stacked_mounts; ++i) {
    const auto mount = mounts_.find(place);
    if (mount == mounts_.end()) break;
    if (mount->second.blocked) return Found{Found::How::blocked, {}, mount->second.blocked};
    if (mount->second.fs == place.first && place.second == ExtFileSystem::root) break;
    place = {mount->second.fs, ExtFileSystem::root};
  }
  VMPATCH_TRY(const FileStat stat, place.first->stat(place.second));
  return Found{Found::How::node, Node{place.first, place.second, stat}};
}

Result<Found> Tree::resolve(const std::string& path, bool follow) {
  VMPATCH_TRY(Found found, walk(path, follow));
  if (found.how == Found::How::blocked) return std::move(*found.why);
  return found;
}

Result<Found> Tree::walk(const std::string& path, bool follow) {
  if (path.empty() || path.front() != '/')
    return fail(Errc::failed, "guest path {} is not absolute", escape_untrusted(path));
  if (path.size() > max_path) return fail(Errc::failed, "guest path of {} bytes is too long", path.size());
  VMPATCH_TRY(const Found root, node_at(*root_, ExtFileSystem::root));
  if (root.how != Found::How::node) return root;
  std::vector<Node> way{root.node};
  std::vector<std::string> pending;
  push_components(pending, path);
  int links = 0;
  while (!pending.empty()) {
    const std::string name = std::move(pending.back());
    pending.pop_back();
    // Also for "..": /file/.. does not exist.
    if (way.back().stat.kind != FileKind::directory) return Found{};
    if (name == "..") {
      if (way.size() > 1) way.pop_back();
      continue;
    }
    const Node& folder = way.back();
    VMPATCH_TRY(const auto inode, names_.find({folder.fs, folder.inode}, folder.stat.size, name));
    if (!inode) return Found{};
    VMPATCH_TRY(Found there, node_at(*way.back().fs, *inode));
    if (there.how != Found::How::node) return there;
    Node next = std::move(there.node);
    if (next.stat.kind != FileKind::symlink || (pending.empty() && !follow)) {
      way.push_back(std::move(next));
      continue;
    }
    if (++links > max_links) return Found{Found::How::loop, {}};
    VMPATCH_TRY(const std::string target, next.fs->link_target(next.inode));
    if (target.empty()) return Found{};
    if (target.front() == '/') way.resize(1);
    push_components(pending, target);
  }
  return Found{Found::How::node, way.back()};
}

Result<std::vector<ExtEntry>> Tree::list(const Node& directory) {
  VMPATCH_TRY(auto entries, directory.fs->entries(directory.inode));
  std::sort(entries.begin(), entries.end(), [](const ExtEntry& a, const ExtEntry& b) { return a.name < b.name; });
  for (ExtEntry& entry : entries) {
    if (entry.kind != FileKind::unknown) continue;
    VMPATCH_TRY(const FileStat stat, directory.fs->stat(entry.inode));
    entry.kind = stat.kind;
  }
  return entries;
}

Result<Tree::Joined> Tree::add_mount(const std::string& where, Mount mount) {
  VMPATCH_TRY(const Found found, walk(where, true));
  if (found.how == Found::How::blocked) return Joined::hidden;
  if (found.how != Found::How::node || found.node.stat.kind != FileKind::directory) return Joined::no_directory;
  mounts_.insert_or_assign(Place{found.node.fs, found.node.inode}, std::move(mount));
  return Joined::done;
}

Result<Tree::Joined> Tree::mount(const std::string& where, ExtFileSystem& fs) { return add_mount(where, {&fs, std::nullopt}); }

Result<Tree::Joined> Tree::block(const std::string& where, Error why) { return add_mount(where, {nullptr, std::move(why)}); }

}  // namespace vmpatch::guest::direct
