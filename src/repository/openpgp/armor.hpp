#pragma once
// ASCII armor of OpenPGP keys (RFC 4880, section 6.2): gpgv reads binary keyrings only.

#include <string>
#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch::repository::openpgp {

/// A keyring as gpgv reads it: armored public-key blocks are decoded and joined, anything else is as it was. Errors: failed (no key in it,
/// a block that is cut off or damaged).
Result<std::string> binary_keyring(std::string_view content, std::string_view name);

}  // namespace vmpatch::repository::openpgp
