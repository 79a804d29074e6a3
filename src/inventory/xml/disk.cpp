#include "inventory/xml/disk.hpp"

#include <array>
#include <set>

#include "inventory/xml/document.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::inventory::xml {
namespace {

void note(std::string& problem, std::string text) {
  if (problem.empty()) problem = std::move(text);
}

/// Path of a <source> of kind file or block; nothing for other kinds and for an empty drive.
std::optional<fs::path> local_source(const xmlNode* source, std::string_view kind) {
  std::optional<std::string> path;
  if (kind == "file") path = attribute(source, "file");
  if (kind == "block") path = attribute(source, "dev");
  if (!path || path->empty()) return std::nullopt;
  return fs::path(*path);
}

/// libvirt ends a chain that it knows with an empty <backingStore/>.
void read_backing_store(const xmlNode* node, Disk& disk) {
  disk.configured_chain.emplace();
  for (; node != nullptr; node = child(node, "backingStore")) {
    const xmlNode* source = child(node, "source");
    if (source == nullptr) return;
    const std::string kind = attribute_or(node, "type", "file");
    const auto path = local_source(source, kind);
    if (!path) {
      return note(disk.problem, fmt::format("the XML configures a backing file of kind {}, which is not a local file; "
                                            "flatten the image with qemu-img convert", escape_untrusted(kind)));
    }
    const auto word = attribute(child(node, "format"), "type");
    if (!word) {
      return note(disk.problem, fmt::format("the XML gives no format for backing file {}; add <format type='…'/> with virsh edit",
                                            escape_untrusted(path->native())));
    }
    const auto format = image::parse_format(*word);
    if (!format) return note(disk.problem, format.error().in("backing file " + escape_untrusted(path->native())).message);
    disk.configured_chain->emplace_back(*path, *format);
  }
}

void read_source(const xmlNode* source, Disk& disk) {
  disk.source = local_source(source, disk.source_kind);
  if (disk.source_kind == "volume") {
    disk.pool = attribute_or(source, "pool", "");
    disk.volume = attribute_or(source, "volume", "");
  }
  if (disk.source && !disk.source->is_absolute()) {
    note(disk.problem, fmt::format("image path {} is not absolute; correct it with virsh edit", escape_untrusted(disk.source->native())));
  }
  if (child(source, "slices") != nullptr) {
    note(disk.problem, "it uses a slice of its image (<slices>), which vm-patch cannot write");
  }
  if (child(source, "encryption") != nullptr) {
    note(disk.problem, "it is encrypted by QEMU (<encryption>), so its content cannot be read; decrypt it with qemu-img convert");
  }
}

/// Where the XML has none: virDomainDiskDefPostParse in libvirt's src/conf/domain_postparse.c.
std::string_view bus_of_target(std::string_view target) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> buses{
      {{"vd", "virtio"}, {"sd", "scsi"}, {"hd", "ide"}, {"fd", "fdc"}, {"xvd", "xen"}, {"ubd", "uml"}}};
  for (const auto& [start, bus] : buses) {
    if (target.starts_with(start)) return bus;
  }
  return "";
}

Disk read_disk(const xmlNode* node) {
  Disk disk;
  disk.target = attribute_or(child(node, "target"), "dev", "");
  disk.bus = attribute_or(child(node, "target"), "bus", bus_of_target(disk.target));
  disk.serial = std::string(trim(text(child(node, "serial"))));
  disk.boot_order = number_or(attribute_or(child(node, "boot"), "order", ""), 0);
  disk.device = attribute_or(node, "device", "disk");
  disk.source_kind = attribute_or(node, "type", "file");
  disk.format = attribute(child(node, "driver"), "type");
  disk.read_only = child(node, "readonly") != nullptr || disk.device == "cdrom";
  disk.shareable = child(node, "shareable") != nullptr;
  disk.transient = child(node, "transient") != nullptr;
  if (const xmlNode* source = child(node, "source")) read_source(source, disk);
  if (child(node, "encryption") != nullptr) {
    note(disk.problem, "it is encrypted by QEMU (<encryption>), so its content cannot be read; decrypt it with qemu-img convert");
  }
  if (child(node, "mirror") != nullptr) {
    note(disk.problem, "a block job (copy or commit) is active on it; end it with virsh blockjob");
  }
  if (const xmlNode* backing = child(node, "backingStore")) read_backing_store(backing, disk);
  return disk;
}

}  // namespace

Result<std::vector<Disk>> read_disks(const xmlNode* domain, std::string_view what) {
  std::vector<Disk> disks;
  std::set<std::string> targets;
  for (const xmlNode* devices : children(domain, "devices")) {
    for (const xmlNode* node : children(devices, "disk")) {
      disks.push_back(read_disk(node));
      const std::string& target = disks.back().target;
      if (target.empty()) return fail(Errc::failed, "{} has a disk without a target; correct it with virsh edit", what);
      if (!targets.insert(target).second) {
        return fail(Errc::refused, "{} has two disks with target {}; correct it with virsh edit", what, escape_untrusted(target));
      }
    }
  }
  return disks;
}

}  // namespace vmpatch::inventory::xml
