#pragma once

#include <libxml/tree.h>

#include <string_view>
#include <vector>

#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory::xml {

/// The disks of a <domain>. What is wrong with one becomes its problem; `what` names the document in messages. Errc::failed:
/// a disk without a target; refused: a target twice.
Result<std::vector<Disk>> read_disks(const xmlNode* domain, std::string_view what);

}  // namespace vmpatch::inventory::xml
