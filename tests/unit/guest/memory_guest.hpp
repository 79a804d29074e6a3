#pragma once
// A guest in memory: what read_facts() sees, without a disk.

#include <map>

#include "vmpatch/core/format.hpp"
#include "vmpatch/guest/guest.hpp"

namespace vmpatch::guest {

class MemoryGuest final : public Guest {
 public:
  std::map<std::string, std::string> files;
  std::map<std::string, std::string> links;
  std::map<std::string, std::int64_t> mtimes;
  bool asleep = false;

  Result<std::string> read(const std::string& path, std::uint64_t max_bytes) override {
    const auto link = links.find(path);
    const auto found = files.find(link == links.end() ? path : link->second);
    if (found == files.end()) return fail(Errc::not_found, "no {}", path);
    if (found->second.size() > max_bytes) return fail(Errc::failed, "{} is too large", path);
    return found->second;
  }
  Result<std::string> read_range(const std::string& path, std::uint64_t offset, std::uint64_t length) override {
    VMPATCH_TRY(const std::string content, read(path, UINT64_MAX));
    if (length > max_range) return fail(Errc::failed, "{} bytes at once are more than {}", length, max_range);
    return offset < content.size() ? content.substr(offset, length) : std::string();
  }
  Result<FileStat> stat(const std::string& path) override { return lstat(path); }
  Result<FileStat> lstat(const std::string& path) override {
    if (links.contains(path)) return FileStat{FileKind::symlink, 0777, 0, 0, 0, 0};
    if (files.contains(path)) return FileStat{FileKind::regular, 0644, 0, 0, files[path].size(), mtimes[path]};
    if (list(path)) return FileStat{FileKind::directory, 0755, 0, 0, 0, 0};
    return fail(Errc::not_found, "no {}", path);
  }
  Result<std::string> readlink(const std::string& path) override {
    if (!links.contains(path)) return fail(Errc::failed, "{} is no link", path);
    return links[path];
  }
  Result<std::vector<DirEntry>> list(const std::string& dir) override {
    std::map<std::string, FileKind> names;
    const auto add = [&](const std::string& path, FileKind kind) {
      if (!path.starts_with(dir + "/")) return;
      const std::string rest = path.substr(dir.size() + 1);
      const auto slash = rest.find('/');
      names[rest.substr(0, slash)] = slash == std::string::npos ? kind : FileKind::directory;
    };
    for (const auto& [path, content] : files) add(path, FileKind::regular);
    for (const auto& [path, target] : links) add(path, FileKind::symlink);
    if (names.empty()) return fail(Errc::not_found, "no {}", dir);
    std::vector<DirEntry> entries;
    for (const auto& [name, kind] : names) entries.push_back({name, kind});
    return entries;
  }
  Result<std::vector<std::optional<Digest>>> digests(const std::vector<std::string>& paths) override {
    std::vector<std::optional<Digest>> found;
    for (const std::string& path : paths) {
      found.push_back(files.contains(path) ? std::optional(sha256(files[path])) : std::nullopt);
    }
    return found;
  }
  Result<std::optional<std::string>> augeas_get(const std::string&, const std::string&, const std::string&) override {
    return fail(Errc::unsupported, "no Augeas in memory");
  }
  [[nodiscard]] std::string access() const override { return "memory"; }
  [[nodiscard]] bool hibernated() const override { return asleep; }
  Result<void> finish() override { return {}; }
};

}  // namespace vmpatch::guest
