// libvirt's <domainsnapshot> (docs/formatsnapshot.rst).
#include <algorithm>
#include <charconv>

#include "inventory/xml/disk.hpp"
#include "inventory/xml/document.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory {
namespace {

bool is_external(const xmlNode* snapshot) {
  const auto disks = xml::children(xml::child(snapshot, "disks"), "disk");
  return std::any_of(disks.begin(), disks.end(), [](const xmlNode* disk) { return xml::attribute(disk, "snapshot") == "external"; });
}

/// Seconds since the epoch; 0 where there are none.
Time read_time(const xmlNode* node) {
  const std::string text(trim(xml::text(node)));
  std::uint32_t seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return Time(std::chrono::seconds(seconds));
}

}  // namespace

Result<Snapshot> parse_snapshot_xml(std::string_view bytes, std::string_view origin) {
  const std::string what = "snapshot XML of " + escape_untrusted(origin);
  VMPATCH_TRY(const auto document, xml::parse_document(bytes, what, "domainsnapshot"));
  const xmlNode* root = xmlDocGetRootElement(document.get());
  Snapshot snapshot;
  snapshot.kind = is_external(root) ? Snapshot::Kind::external : Snapshot::Kind::internal;
  snapshot.name = xml::text(xml::child(root, "name"));
  if (snapshot.name.empty()) return fail(Errc::failed, "{} has no <name>", what);
  snapshot.taken = read_time(xml::child(root, "creationTime"));
  snapshot.memory = xml::attribute_or(xml::child(root, "memory"), "snapshot", "no") != "no";
  if (snapshot.kind == Snapshot::Kind::external) {
    VMPATCH_TRY(snapshot.disks, xml::read_disks(xml::child(root, "domain"), what));
  }
  return snapshot;
}

}  // namespace vmpatch::inventory
