#pragma once

#include <libxml/tree.h>

#include <string>
#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch::inventory::xml {

/// <uuid> of a <domain> (may be null), in lower case. Errc::failed: it has none that is valid.
Result<std::string> read_uuid(const xmlNode* domain, std::string_view what);

}  // namespace vmpatch::inventory::xml
