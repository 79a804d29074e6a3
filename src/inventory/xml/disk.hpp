#pragma once

#include <libxml/tree.h>

#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory::xml {

/// One <disk> element. Never fails: what is wrong with it becomes its problem.
Disk read_disk(const xmlNode* node);

}  // namespace vmpatch::inventory::xml
