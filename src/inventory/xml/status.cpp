// libvirt's <domstatus> (virDomainObjFormat in src/conf/domain_conf.c, qemuDomainObjPrivateXMLFormatJob in src/qemu/qemu_domain.c).
#include <charconv>

#include "inventory/xml/document.hpp"
#include "inventory/xml/machine.hpp"
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
  status.reason = xml::attribute_or(top, "reason", "");
  const std::string pid = xml::attribute_or(top, "pid", "");
  int number = 0;
  const auto read = std::from_chars(pid.data(), pid.data() + pid.size(), number);
  if (read.ec == std::errc() && read.ptr == pid.data() + pid.size() && number > 1) status.pid = number;
  const std::string job = xml::attribute_or(xml::child(top, "job"), "async", "none");
  if (job != "none") status.job = job;
  const xmlNode* domain = xml::child(top, "domain");
  if (domain == nullptr) return fail(Errc::failed, "{} has no <domain>", what);
  VMPATCH_TRY(status.machine, xml::read_machine(domain, what));
  return status;
}

}  // namespace vmpatch::inventory
