#pragma once

#include "vmpatch/policy/policy.hpp"
#include "vmpatch/recipe/strict_yaml.hpp"

namespace vmpatch::policy {

Result<Group> parse_group(const recipe::YamlNode& node);
/// The keys boot_proof and boot_timeout.
Result<BootRule> parse_boot_rule(recipe::YamlMapping& map);
/// 512MiB, 1GiB, 2TiB, or plain bytes.
Result<std::uint64_t> parse_size(const recipe::YamlNode& node);
Result<std::filesystem::path> parse_path(const recipe::YamlNode& node);  ///< an absolute one
Result<std::vector<std::filesystem::path>> parse_paths(const recipe::YamlNode& node);

Result<repository::Source> parse_repository(const recipe::YamlNode& node);
/// https://HOST[:PORT]/PATH, http://… or file:/PATH, with a slash at the end; file:/srv becomes file:///srv/. No error quotes it: what is
/// refused may hold a password.
Result<std::string> parse_repository_uri(const recipe::YamlNode& node);
/// http://HOST[:PORT] or https://HOST[:PORT].
Result<std::string> parse_proxy(const recipe::YamlNode& node);

}  // namespace vmpatch::policy
