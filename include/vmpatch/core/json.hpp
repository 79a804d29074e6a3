#pragma once
// JSON with the order of insertion kept, so that output is deterministic.

#include <nlohmann/json.hpp>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json_fwd.hpp"

namespace vmpatch {

/// Errc::failed with the byte offset; exceptions stay inside. Nesting deeper than 64 is an error.
Result<Json> parse_json(std::string_view text, std::string_view name);

/// Compact text; invalid UTF-8 is replaced, never thrown at.
[[nodiscard]] std::string dump_json(const Json& json, int indent = -1);

}  // namespace vmpatch
