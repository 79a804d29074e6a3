#pragma once
// A Guest in memory. The contract suite runs on it too.

#include <map>
#include <set>

#include "vmpatch/core/format.hpp"
#include "vmpatch/guest/guest.hpp"

namespace vmpatch::guest {

class FakeGuest : public Guest {
 public:
  struct Node {
    FileStat stat;
    std::string content;  ///< or the target of a symlink
  };

  void add_file(const std::string& path, const std::string& content, unsigned mode = 0644, std::uint32_t uid = 0, std::uint32_t gid = 0) {
    add_parents(path);
    nodes_[path] = {{FileKind::regular, mode, uid, gid, content.size(), 0}, content};
  }
  void add_link(const std::string& path, const std::string& target, std::uint32_t uid = 0) {
    add_parents(path);
    nodes_[path] = {{FileKind::symlink, 0777, uid, uid, target.size(), 0}, target};
  }
  void remove(const std::string& path) { nodes_.erase(path); }
  void add_dir(const std::string& path, unsigned mode = 0755, std::uint32_t uid = 0) {
    if (path.empty()) return;
    add_parents(path);
    nodes_[path] = {{FileKind::directory, mode, uid, uid, 4096, 0}, {}};
  }

  Result<std::string> read(const std::string& path, std::uint64_t max_bytes) override {
    VMPATCH_TRY(const auto* node, follow(path));
    if (node->content.size() > max_bytes) return fail(Errc::failed, "{} is larger than {} bytes", path, max_bytes);
    return node->content;
  }
  Result<std::string> read_range(const std::string& path, std::uint64_t offset, std::uint64_t length) override {
    VMPATCH_TRY(const auto* node, follow(path));
    if (length > max_range) return fail(Errc::failed, "{} bytes at once are more than {}", length, max_range);
    return offset < node->content.size() ? node->content.substr(offset, length) : std::string();
  }
  Result<FileStat> stat(const std::string& path) override {
    VMPATCH_TRY(const auto* node, follow(path));
    return node->stat;
  }
  Result<FileStat> lstat(const std::string& path) override {
    VMPATCH_TRY(const auto* node, find(path));
    return node->stat;
  }
  Result<std::string> readlink(const std::string& path) override {
    VMPATCH_TRY(const auto* node, find(path));
    if (node->stat.kind != FileKind::symlink) return fail(Errc::failed, "{} is not a symlink", path);
    return node->content;
  }
  Result<std::vector<DirEntry>> list(const std::string& dir) override {
    VMPATCH_TRY(const auto* node, find(dir));
    (void)node;
    std::vector<DirEntry> entries;
    for (const auto& [path, entry] : nodes_) {
      const auto slash = path.find_last_of('/');
      if (path.substr(0, slash) == dir && slash + 1 < path.size()) entries.push_back({path.substr(slash + 1), entry.stat.kind});
    }
    return entries;
  }
  Result<std::vector<std::optional<Digest>>> digests(const std::vector<std::string>& paths) override {
    std::vector<std::optional<Digest>> all;
    for (const auto& path : paths) {
      const auto node = follow(path);
      all.push_back(node && (*node)->stat.kind == FileKind::regular ? std::optional(sha256((*node)->content)) : std::nullopt);
    }
    return all;
  }
  Result<std::optional<std::string>> augeas_get(const std::string& path, const std::string&, const std::string& node) override {
    const auto found = augeas.find(path + "/" + node);
    return found == augeas.end() ? std::optional<std::string>() : std::optional(found->second);
  }
  [[nodiscard]] std::string access() const override { return "memory"; }
  Result<void> finish() override { return {}; }

  std::map<std::string, std::string> augeas;  ///< path/node → value

 private:
  void add_parents(const std::string& path) {
    for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      const auto parent = path.substr(0, slash);
      if (!nodes_.contains(parent)) nodes_[parent] = {{FileKind::directory, 0755, 0, 0, 4096, 0}, {}};
    }
  }
  Result<const Node*> find(const std::string& path) const {
    const auto found = nodes_.find(path);
    if (found == nodes_.end()) return fail(Errc::not_found, "{}: no such file", path);
    return &found->second;
  }
  Result<const Node*> follow(std::string path) const {
    for (int i = 0; i < 40; ++i) {
      VMPATCH_TRY(const auto* node, find(path));
      if (node->stat.kind != FileKind::symlink) return node;
      path = node->content.starts_with('/') ? node->content : path.substr(0, path.find_last_of('/') + 1) + node->content;
    }
    return fail(Errc::failed, "{}: too many symlinks", path);
  }

  std::map<std::string, Node> nodes_{{"/", {{FileKind::directory, 0755, 0, 0, 4096, 0}, {}}}};
};

}  // namespace vmpatch::guest
