#pragma once
// Reading configuration files with libaugeas in this process. It gets content, never a path of the guest, and opens no file
// but its own lenses. Meant for a process without privileges: the content is hostile.

#include <optional>
#include <string>

#include "vmpatch/core/result.hpp"

namespace vmpatch::guest::augeas {

/// Larger content is left to an appliance: parsing takes memory and time out of proportion to it.
inline constexpr std::uint64_t max_content = 1U << 20U;

/// Value of the one `node` below the tree of `content`; "" for a node without a value, nothing when there is no such node.
/// `path` is for messages. Errors: failed (unknown lens, content that the lens does not read, malformed node, several nodes).
Result<std::optional<std::string>> get(std::string content, const std::string& path, const std::string& lens,
                                       const std::string& node);

}  // namespace vmpatch::guest::augeas
