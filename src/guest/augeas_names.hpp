#pragma once
// Names as Augeas reads them: shared by the adapters.

#include <string>
#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch::guest {

/// "sshd" and "Sshd" mean "Sshd.lns"; a name with a dot stays. Errors: failed (no name of a lens).
Result<std::string> lens_name(const std::string& lens);

/// A file name in a path expression: Augeas reads some characters as its own.
std::string escape_augeas_path(std::string_view path);

}  // namespace vmpatch::guest
