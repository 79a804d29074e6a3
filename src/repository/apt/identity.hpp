#pragma once
// Which program answers, and with which library: another one of either may answer otherwise.

#include <string>

#include "vmpatch/core/result.hpp"

namespace vmpatch::repository::apt {

/// SHA-256 of this program's file and of the libapt-pkg that it has loaded, with the library's version. One line. Errc::failed.
Result<std::string> own_identity();

}  // namespace vmpatch::repository::apt
