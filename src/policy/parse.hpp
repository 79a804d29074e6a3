#pragma once

#include "vmpatch/policy/policy.hpp"
#include "vmpatch/recipe/strict_yaml.hpp"

namespace vmpatch::policy {

Result<Group> parse_group(const recipe::YamlNode& node);
/// 512MiB, 1GiB, 2TiB, or plain bytes.
Result<std::uint64_t> parse_size(const recipe::YamlNode& node);

}  // namespace vmpatch::policy
