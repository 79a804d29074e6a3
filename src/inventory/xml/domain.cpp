#include <algorithm>
#include <cctype>

#include "inventory/xml/disk.hpp"
#include "inventory/xml/document.hpp"
#include "inventory/xml/hardware.hpp"
#include "inventory/xml/machine.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory {
namespace {

constexpr std::string_view metadata_namespace = "https://vm-patch.org/domain/1";

Metadata read_metadata(const xmlNode* domain) {
  const xmlNode* own = xml::child_in_namespace(xml::child(domain, "metadata"), "vm-patch", metadata_namespace);
  Metadata metadata;
  metadata.role = xml::attribute_or(own, "role", "");
  metadata.group = xml::attribute_or(own, "group", "");
  metadata.criticality = xml::attribute_or(own, "criticality", "");
  metadata.exposure = xml::attribute_or(own, "exposure", "");
  return metadata;
}

std::vector<fs::path> read_other_files(const xmlNode* domain) {
  const xmlNode* os = xml::child(domain, "os");
  std::vector<fs::path> files;
  for (const char* name : {"kernel", "initrd", "dtb", "loader", "nvram"}) {
    const std::string path(trim(xml::text(xml::child(os, name))));
    if (!path.empty()) files.emplace_back(path);
  }
  return files;
}

}  // namespace

Result<Machine> xml::read_machine(const xmlNode* domain, std::string_view what) {
  Machine machine;
  machine.domain_type = xml::attribute_or(domain, "type", "");
  machine.name = xml::text(xml::child(domain, "name"));
  if (machine.name.empty()) return fail(Errc::failed, "{} has no <name>", what);
  machine.uuid = std::string(trim(xml::text(xml::child(domain, "uuid"))));
  if (!is_uuid(machine.uuid)) return fail(Errc::failed, "{} has no valid <uuid>", what);
  std::transform(machine.uuid.begin(), machine.uuid.end(), machine.uuid.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  machine.metadata = read_metadata(domain);
  machine.other_files = read_other_files(domain);
  machine.hardware = read_hardware(domain);
  VMPATCH_TRY(machine.disks, xml::read_disks(domain, what));
  return machine;
}

Result<Machine> parse_domain_xml(std::string_view bytes, std::string_view origin) {
  const std::string what = "domain XML of " + escape_untrusted(origin);
  VMPATCH_TRY(const auto document, xml::parse_document(bytes, what, "domain"));
  return xml::read_machine(xmlDocGetRootElement(document.get()), what);
}

}  // namespace vmpatch::inventory
