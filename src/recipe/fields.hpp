#pragma once
// Texts with rules of their own that occur in several places of a recipe. The is_ functions are pure; the others report
// at the node.

#include "vmpatch/recipe/recipe.hpp"
#include "vmpatch/recipe/strict_yaml.hpp"

namespace vmpatch::recipe {

inline constexpr std::string_view recipe_schema = "vm-patch/recipe/v1";

bool is_recipe_id(std::string_view text);  ///< [a-z0-9][a-z0-9.+-]{1,127}
bool is_version(std::string_view text);    ///< what dpkg and rpm allow in versions
bool is_package_name(std::string_view text);
bool is_payload_name(std::string_view text);     ///< a plain file name without blanks
bool is_fix_id(std::string_view text);           ///< CVE-2026-0001, DSA-1234-1
bool is_absolute_normal(std::string_view path);  ///< /a/b: no //, no . or .., no final slash, no control characters
bool is_one_line(std::string_view text, std::size_t max);  ///< not empty, no control characters

std::string_view to_string(step::UnitState state);
/// Of an owner or mode: four octal digits with a leading zero.
std::string mode_text(unsigned mode);

Result<std::string> read_line(const YamlNode& node, std::size_t max = 4096);
Result<std::string> read_path(const YamlNode& node);
Result<std::string> read_folder(const YamlNode& node);   ///< a path, or /
Result<unsigned> read_mode(const YamlNode& node);        ///< octal text, 0 to 07777
Result<std::string> read_account(const YamlNode& node);  ///< user or group: name or number
Result<std::string> read_unit(const YamlNode& node);
Result<step::UnitState> read_unit_state(const YamlNode& node);
Result<Digest> read_digest(const YamlNode& node);
Result<VersionBound> read_bound(const YamlNode& node);

}  // namespace vmpatch::recipe
