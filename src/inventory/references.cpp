#include "inventory/references.hpp"

#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory {
namespace {

constexpr std::size_t max_neighbours = 10'000;
constexpr std::size_t max_below = 64;  // twice what Chain::open follows: a hostile web of names ends somewhere

}  // namespace

std::optional<FileKey> FileKeys::of(const fs::path& path) {
  const auto found = known_.find(path);
  if (found != known_.end()) return found->second;
  std::optional<FileKey> key;
  if (auto result = image::file_key(path)) key = *result;
  return known_.emplace(path, key).first->second;
}

std::set<FileKey> find_files_below(const fs::path& image, FileKeys& keys) {
  std::set<FileKey> below;
  std::vector<fs::path> open{image};
  while (!open.empty() && below.size() < max_below) {
    const fs::path path = std::move(open.back());
    open.pop_back();
    const auto named = image::named_backing_files(path);
    if (!named) continue;
    for (const fs::path& next : *named) {
      const auto key = keys.of(next);
      if (key && below.insert(*key).second) open.push_back(next);
    }
  }
  return below;
}

DiskFiles find_disk_files(const Disk& disk, FileKeys& keys) {
  DiskFiles files;
  if (!disk.source) return files;
  files.top = keys.of(*disk.source);
  const auto add = [&](const fs::path& path) {
    if (const auto key = keys.of(path)) files.below.insert(*key);
  };
  for (std::size_t i = 1; i < disk.layers.size(); ++i) add(disk.layers[i].path);
  // What is neither file nor block device is not even opened: opening some devices does something.
  if (files.top && disk.layers.empty() && disk.format != "raw") files.below = find_files_below(*disk.source, keys);
  if (disk.configured_chain) {
    for (const auto& [path, format] : *disk.configured_chain) add(path);
  }
  if (files.top) files.below.erase(*files.top);
  return files;
}

Result<std::vector<fs::path>> load_neighbours(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  std::size_t seen = 0;
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (++seen > max_neighbours) {
      return fail(Errc::refused, "folder {} has more than {} entries, so overlays of its images cannot be ruled out; move the "
                  "image into a smaller folder", escape_untrusted(folder.native()), max_neighbours);
    }
    std::error_code ignored;
    if (entry->symlink_status(ignored).type() == fs::file_type::regular) files.push_back(entry->path());
  }
  if (error) return errno_error(error.value(), "read folder " + escape_untrusted(folder.native()));
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace vmpatch::inventory
