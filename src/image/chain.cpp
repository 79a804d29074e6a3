#include "vmpatch/image/chain.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "image/open_file.hpp"
#include "image/snapshot_view.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/image/locks.hpp"

namespace vmpatch::image {
namespace {

struct Opened {
  Layer layer;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

Result<Opened> open_layer(const fs::path& path, Format format, std::uint64_t max_virtual_size) {
  VMPATCH_TRY(auto canonical, canonical_image_path(path));
  VMPATCH_TRY(auto file, open_disk_file(canonical, O_RDONLY));
  Opened result;
  result.device = disk_device(file.info);
  // A block device may have several nodes; its device number alone names it.
  result.inode = file.block_device() ? 0 : file.info.st_ino;
  Layer& layer = result.layer;
  layer.path = std::move(canonical);
  layer.format = format;
  layer.file_size = file.size;
  layer.block_device = file.block_device();
  if (format == Format::qcow2) {
    VMPATCH_TRY(layer.header, load_qcow2_header(file.fd.get(), file.size, max_virtual_size, layer.path));
    layer.virtual_size = layer.header->virtual_size;
  } else {
    layer.virtual_size = file.size;
    if (file.size == 0) return fail(Errc::refused, "image {} is empty; a raw disk has content", shown(layer.path));
    if (file.size > max_virtual_size) {
      return fail(Errc::refused, "image {} of {} is above the limit of {}", shown(layer.path), format_size(file.size),
                  format_size(max_virtual_size));
    }
  }
  // QEMU rounds an odd size up, so overlay and base would differ in length and a commit would resize the base.
  if (layer.virtual_size % 512 != 0) {
    return fail(Errc::refused, "image {} has a size of {} bytes, not a multiple of 512; resize it with qemu-img resize",
                shown(layer.path), layer.virtual_size);
  }
  layer.fd = std::move(file.fd);
  return result;
}

/// Canonical path of the file that `layer` names as its backing file.
Result<fs::path> backing_path(const Layer& layer) {
  const fs::path name(layer.header->backing_name);
  auto path = canonical_image_path(name.is_absolute() ? name : layer.path.parent_path() / name);
  if (!path) return path.error().in("backing file of " + shown(layer.path));
  return path;
}

Result<Format> backing_format(const Layer& layer) {
  if (!layer.header->backing_format) {
    const std::string name = escape_untrusted(layer.header->backing_name);
    return fail(Errc::refused,
                "image {} names backing file {} without its format; record it with qemu-img rebase -u -F FORMAT -b {} {}",
                shown(layer.path), name, name, shown(layer.path));
  }
  auto format = parse_format(*layer.header->backing_format);
  if (!format) return format.error().in("backing file of " + shown(layer.path));
  return format;
}

Result<void> check_allowed(const fs::path& backing, const fs::path& own_folder, const OpenPolicy& policy,
                           const Layer& named_by) {
  if (lies_in_any(backing, {own_folder}) || lies_in_any(backing, policy.allowed_dirs)) return {};
  return fail(Errc::refused,
              "image {} has backing file {} outside the allowed folders; allow its folder with --allow-backing or in the "
              "policy",
              shown(named_by.path), shown(backing));
}

/// The headers and the machine's XML must name the same next layer, or both none.
Result<void> check_configured(const OpenPolicy& policy, std::size_t depth, const Layer& layer, const fs::path* backing,
                              std::optional<Format> format) {
  if (!policy.configured) return {};
  const bool expected = depth < policy.configured->size();
  if (!expected && backing == nullptr) return {};
  if (expected != (backing != nullptr)) {
    return fail(Errc::refused, "image {} has {} in its header, but the machine's XML configures {}", shown(layer.path),
                backing == nullptr ? "no backing file" : "backing file " + shown(*backing),
                expected ? "backing file " + shown((*policy.configured)[depth].first) : "none");
  }
  const auto& [configured_path, configured_format] = (*policy.configured)[depth];
  VMPATCH_TRY(const auto wanted, canonical_image_path(configured_path));
  if (wanted != *backing || configured_format != *format) {
    return fail(Errc::refused, "image {} has backing file {} ({}) in its header, but the machine's XML configures {} ({})",
                shown(layer.path), shown(*backing), to_string(*format), shown(configured_path),
                to_string(configured_format));
  }
  return {};
}

}  // namespace

Result<Chain> Chain::open(const fs::path& image, Format format, const OpenPolicy& policy) {
  Chain chain;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> seen;
  fs::path path = image;
  fs::path own_folder;
  for (;;) {
    VMPATCH_TRY(auto opened, open_layer(path, format, policy.max_virtual_size));
    if (policy.snapshot && chain.layers_.empty()) VMPATCH_CHECK(show_snapshot(opened.layer, *policy.snapshot, policy.max_virtual_size));
    const std::pair inode{opened.device, opened.inode};
    if (std::find(seen.begin(), seen.end(), inode) != seen.end()) {
      return fail(Errc::refused, "image {} is its own backing file (a loop)", shown(opened.layer.path));
    }
    seen.push_back(inode);
    chain.layers_.push_back(std::move(opened.layer));
    const Layer& layer = chain.layers_.back();
    if (own_folder.empty()) own_folder = layer.path.parent_path();

    const std::size_t depth = chain.layers_.size() - 1;
    if (!layer.header || layer.header->backing_name.empty()) {
      VMPATCH_CHECK(check_configured(policy, depth, layer, nullptr, std::nullopt));
      return chain;
    }
    if (chain.layers_.size() >= policy.max_layers) {
      return fail(Errc::refused, "image {} has more than {} layers", shown(chain.top().path), policy.max_layers);
    }
    VMPATCH_TRY(format, backing_format(layer));
    VMPATCH_TRY(path, backing_path(layer));
    VMPATCH_CHECK(check_allowed(path, own_folder, policy, layer));
    VMPATCH_CHECK(check_configured(policy, depth, layer, &path, format));
  }
}

Result<DiskIdentity> Chain::identity() const {
  DiskIdentity identity;
  for (const Layer& layer : layers_) {
    VMPATCH_TRY(auto one, identify_fd(layer.fd.get(), layer.path, layer.format == Format::qcow2));
    identity.push_back(std::move(one));
  }
  return identity;
}

Result<UniqueFd> Chain::open_top_writable() const {
  if (top().snapshot_view) return fail(Errc::refused, "a snapshot of image {} cannot be written", shown(top().path));
  VMPATCH_TRY(auto file, open_disk_file(top().path, O_RDWR));
  struct stat held {};
  if (::fstat(top().fd.get(), &held) != 0) return errno_error(errno, "stat image " + shown(top().path));
  if (held.st_dev != file.info.st_dev || held.st_ino != file.info.st_ino) {
    return fail(Errc::refused, "image {} was replaced by another file since it was opened; start again",
                shown(top().path));
  }
  VMPATCH_CHECK(mark_writer(file.fd.get(), top().path));
  return std::move(file.fd);
}

}  // namespace vmpatch::image
