#pragma once

#include <libxml/tree.h>

#include <string_view>

#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory::xml {

/// What a <domain> tells; `what` names the document in messages. Errors as parse_domain_xml.
Result<Machine> read_machine(const xmlNode* domain, std::string_view what);

}  // namespace vmpatch::inventory::xml
