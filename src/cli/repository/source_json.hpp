#pragma once

#include "vmpatch/core/json_fwd.hpp"
#include "vmpatch/repository/source.hpp"

namespace vmpatch::cli {

/// {"name", "type", "for": {"os", "versions"}, "uris", "suites", "components", "architectures", "signed_by", "security", "snapshot", "max_age"}:
/// snapshot is a day, sha256:HEX or null, max_age seconds or null.
Json source_json(const repository::Source& source);

}  // namespace vmpatch::cli
