#pragma once
// pacman's local database: one folder a package, /var/lib/pacman/local/NAME-VERSION, with a file `desc` in it. Format:
// libalpm's lib/libalpm/be_local.c, alpm-db-desc(5).

#include <string_view>

#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {

/// One `desc`: "%FIELD%", its values one a line, an empty line. Malformed text is failed with the line number.
Result<Package> parse_pacman_desc(std::string_view text);

}  // namespace vmpatch::guest
