// libvirt's <domstatus> (virDomainObjFormat in src/conf/domain_conf.c, qemuDomainObjPrivateXMLFormatJob in src/qemu/qemu_domain.c).
#include <charconv>

#include "inventory/xml/document.hpp"
#include "inventory/xml/uuid.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory {

Result<DomainStatus> parse_domain_status(std::string_view bytes, std::string_view origin) {
  const std::string what = "domain status of " + escape_untrusted(origin);
  VMPATCH_TRY(const auto document, xml::parse_document(bytes, what, "domstatus"));
  const xmlNode* top = xmlDocGetRootElement(document.get());
  DomainStatus status;
  status.state = xml::attribute_or(top, "state", "");
  if (status.state.empty()) return fail(Errc::failed, "{} has no state", what);
  status.reason = xml::attribute_or(top, "reason", "");
  const std::string pid = xml::attribute_or(top, "pid", "");
  const auto read = std::from_chars(pid.data(), pid.data() + pid.size(), status.pid);
  if (read.ec != std::errc() || read.ptr != pid.data() + pid.size() || status.pid <= 1) return fail(Errc::failed, "{} has no valid pid", what);
  const std::string job = xml::attribute_or(xml::child(top, "job"), "async", "none");
  if (job != "none") status.job = job;
  VMPATCH_TRY(status.uuid, xml::read_uuid(xml::child(top, "domain"), what));
  return status;
}

}  // namespace vmpatch::inventory
