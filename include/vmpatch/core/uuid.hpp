#pragma once

#include <string>
#include <string_view>

namespace vmpatch {

/// Random (version 4) UUID, lower case with dashes; from getrandom(2).
[[nodiscard]] std::string random_uuid();
/// Name-based UUID (RFC 9562 version 8, SHA-256 of "vm-patch\0" + name): the same name gives the same UUID.
[[nodiscard]] std::string named_uuid(std::string_view name);
/// Accepts 8-4-4-4-12 hex digits in any case.
[[nodiscard]] bool is_uuid(std::string_view text);

}  // namespace vmpatch
