#pragma once

#include <string>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest::guestfs {

/// A plain file name on the payload disk.
inline Result<void> check_payload_name(const std::string& name) {
  if (!name.empty() && name.find('/') == std::string::npos && !name.starts_with('.')) return {};
  return fail(Errc::failed, "{} is no payload's name", escape_untrusted(name));
}

}  // namespace vmpatch::guest::guestfs
