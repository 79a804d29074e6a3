#pragma once
// User and group names by the guest's own tables.

#include <cstdint>
#include <string>

#include "vmpatch/guest/guest.hpp"

namespace vmpatch::engine {

/// A number is taken as it is; a name is looked up in the guest's /etc/passwd or /etc/group (field 3).
Result<std::uint32_t> find_user(guest::Guest& guest, const std::string& name_or_number);
Result<std::uint32_t> find_group(guest::Guest& guest, const std::string& name_or_number);

}  // namespace vmpatch::engine
