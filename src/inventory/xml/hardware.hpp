#pragma once

#include <libxml/tree.h>

#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory::xml {

/// What a <domain> is started on: docs/formatdomain.rst of libvirt. What cannot be understood is left out.
Hardware read_hardware(const xmlNode* domain);

}  // namespace vmpatch::inventory::xml
