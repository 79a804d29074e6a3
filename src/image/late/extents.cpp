// libnbd loads GnuTLS, which costs every start milliseconds; only a commit needs it. So its adapter lies in a plugin
// (vm-patch-nbd.so) of the same build.
#include "image/nbd/extents_plugin.hpp"
#include "vmpatch/core/plugin.hpp"

namespace vmpatch::image {
namespace {

Result<const ExtentFunctions*> functions() {
  using Get = const ExtentFunctions* (*)();
  static const Result<void*> entry = load_plugin("vm-patch-nbd.so", "vmpatch_extent_functions");
  VMPATCH_CHECK(entry);
  return reinterpret_cast<Get>(*entry)();
}

}  // namespace

Result<std::vector<Extent>> held_extents(const NbdExport& overlay) {
  VMPATCH_TRY(const auto* plugin, functions());
  return plugin->held(overlay);
}

Result<std::vector<Extent>> data_extents(const NbdExport& disk) {
  VMPATCH_TRY(const auto* plugin, functions());
  return plugin->data(disk);
}

Result<void> copy_extents(const NbdExport& from, const NbdExport& to, const std::vector<Extent>& extents, const Progress& progress) {
  VMPATCH_TRY(const auto* plugin, functions());
  return plugin->copy(from, to, extents, progress);
}

Result<void> compare_extents(const NbdExport& a, const NbdExport& b, const std::vector<Extent>& extents) {
  VMPATCH_TRY(const auto* plugin, functions());
  return plugin->compare(a, b, extents);
}

Result<std::vector<Extent>> differing_extents(const NbdExport& a, const NbdExport& b, const std::vector<Extent>& extents) {
  VMPATCH_TRY(const auto* plugin, functions());
  return plugin->differing(a, b, extents);
}

Result<Relation> relate_extents(const NbdExport& disk, const NbdExport& first, const NbdExport& second, const NbdExport* third,
                                const std::vector<Extent>& extents, const Progress& progress) {
  VMPATCH_TRY(const auto* plugin, functions());
  return plugin->relate(disk, first, second, third, extents, progress);
}

Result<std::vector<PieceDigest>> digest_extents(const NbdExport& disk, const std::vector<Extent>& extents, const Progress& progress) {
  VMPATCH_TRY(const auto* plugin, functions());
  return plugin->digest(disk, extents, progress);
}

}  // namespace vmpatch::image
