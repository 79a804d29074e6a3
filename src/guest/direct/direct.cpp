#include "guest/direct/direct.hpp"

#include <exception>

#include "guest/direct/find_root.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::direct {
namespace {

/// Members in this order: the tree refers to the volumes, and these to the deadline.
struct Parts {
  Deadline deadline;
  Volumes volumes;
  std::unique_ptr<Tree> tree;
  std::string access;
};

class DirectGuest final : public Guest {
 public:
  explicit DirectGuest(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

  Result<std::string> read(const std::string& path, std::uint64_t max_bytes) override {
    return operation<std::string>([&] { return read_file(*parts_->tree, path, max_bytes); });
  }

  Result<std::string> read_range(const std::string& path, std::uint64_t offset, std::uint64_t length) override {
    return operation<std::string>([&] { return direct::read_range(*parts_->tree, path, offset, length); });
  }

  Result<FileStat> stat(const std::string& path) override {
    return operation<FileStat>([&]() -> Result<FileStat> {
      VMPATCH_TRY(const Node node, node_of(path, true));
      return node.stat;
    });
  }

  Result<FileStat> lstat(const std::string& path) override {
    return operation<FileStat>([&]() -> Result<FileStat> {
      VMPATCH_TRY(const Node node, node_of(path, false));
      return node.stat;
    });
  }

  Result<std::string> readlink(const std::string& path) override {
    return operation<std::string>([&]() -> Result<std::string> {
      VMPATCH_TRY(const Node node, node_of(path, false));
      if (node.stat.kind != FileKind::symlink)
        return fail(Errc::failed, "{} is not a symbolic link", escape_untrusted(path));
      return node.fs->link_target(node.inode);
    });
  }

  Result<std::vector<DirEntry>> list(const std::string& dir) override {
    return operation<std::vector<DirEntry>>([&]() -> Result<std::vector<DirEntry>> {
      VMPATCH_TRY(const Node node, node_of(dir, true));
      if (node.stat.kind != FileKind::directory)
        return fail(Errc::failed, "{} is not a directory", escape_untrusted(dir));
      auto found = parts_->tree->list(node);
      if (!found) return found.error().in("list " + escape_untrusted(dir));
      std::vector<DirEntry> entries;
      entries.reserve(found->size());
      for (ExtEntry& entry : *found) entries.push_back({std::move(entry.name), entry.kind});
      return entries;
    });
  }

  Result<std::vector<std::optional<Digest>>> digests(const std::vector<std::string>& paths) override {
    return operation<std::vector<std::optional<Digest>>>([&]() -> Result<std::vector<std::optional<Digest>>> {
      std::vector<std::optional<Digest>> all;
      for (const std::string& path : paths) {
        const auto before = parts_->deadline.used();
        VMPATCH_TRY(auto digest, digest_of(path));
        parts_->deadline.forgive(before, Deadline::for_path);
        all.push_back(std::move(digest));
      }
      return all;
    });
  }

  Result<std::optional<std::string>> augeas_get(const std::string&, const std::string&, const std::string&) override {
    return fail(Errc::unsupported, "the direct reader has no Augeas");
  }

  [[nodiscard]] std::string access() const override { return parts_->access; }
  Result<void> finish() override { return {}; }

 private:
  /// Time limit, and no exception beyond this adapter.
  template <class T, class Work>
  Result<T> operation(Work work) {
    try {
      const Deadline::Operation timed(parts_->deadline);
      VMPATCH_CHECK(parts_->deadline.check());
      return work();
    } catch (const std::exception& error) {
      return fail(Errc::failed, "direct access to the guest: {}", error.what());
    }
  }

  Result<Node> node_of(const std::string& path, bool follow) {
    VMPATCH_TRY(Found found, parts_->tree->resolve(path, follow));
    if (found.how == Found::How::node) return std::move(found.node);
    const std::string name = escape_untrusted(path);
    if (found.how == Found::How::missing) return fail(Errc::not_found, "there is no {} in the guest", name);
    return fail(Errc::failed, "{}: more than {} symbolic links", name, Tree::max_links);
  }

  Result<std::optional<Digest>> digest_of(const std::string& path) {
    const auto resolved = parts_->tree->resolve(path, true);
    if (!resolved && resolved.error().code == Errc::not_found) return std::optional<Digest>();  // below a mount that is not there
    VMPATCH_TRY(const Found found, resolved);
    if (found.how != Found::How::node || found.node.stat.kind != FileKind::regular) return std::optional<Digest>();
    Sha256 hash;
    auto done = found.node.fs->content(found.node.inode, [&](std::string_view piece) {
      hash.update(piece);
      return true;
    });
    if (!done) return done.error().in("read " + escape_untrusted(path));
    return std::optional(hash.finish());
  }

  std::unique_ptr<Parts> parts_;
};

Result<std::unique_ptr<Guest>> open_parts(std::vector<Connection> disks, bool* hibernated) {
  auto parts = std::make_unique<Parts>();
  const Deadline::Operation timed(parts->deadline);
  VMPATCH_TRY(parts->volumes, find_volumes(std::move(disks), parts->deadline));
  if (hibernated != nullptr) *hibernated = parts->volumes.hibernated();
  VMPATCH_TRY(const std::size_t root, find_root(parts->volumes));
  VMPATCH_TRY(JoinedTree joined, join(parts->volumes, root));
  if (hibernated != nullptr && joined.hibernated_file) *hibernated = true;
  parts->tree = std::move(joined.tree);
  parts->access = "direct: " + joined.summary;
  return std::unique_ptr<Guest>(std::make_unique<DirectGuest>(std::move(parts)));
}

}  // namespace

Result<std::unique_ptr<Guest>> open(std::vector<Connection> disks, bool* hibernated) {
  if (hibernated != nullptr) *hibernated = false;
  try {
    return open_parts(std::move(disks), hibernated);
  } catch (const std::exception& error) {
    return fail(Errc::failed, "direct access to the guest: {}", error.what());
  }
}

}  // namespace vmpatch::guest::direct
