#pragma once
// What libapt-pkg has to say.

#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch::repository::apt {

/// Errc::failed with all that is pending: libapt goes on after warnings, and what it left out would be missing in the answer.
Result<void> no_complaints(std::string_view doing);
/// The same for a call that returned false.
Error complaint(std::string_view doing);

}  // namespace vmpatch::repository::apt
