#include <algorithm>
#include <limits>

#include "recipe/parse.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::recipe {
namespace {

constexpr std::int64_t max_payload = std::int64_t{64} << 30;
constexpr std::size_t max_entries = 10'000;

Result<void> parse_head(YamlMapping& map, Recipe& recipe) {
  VMPATCH_TRY(const YamlNode schema, map.require("schema"));
  VMPATCH_TRY(const std::string schema_name, schema.text());
  if (schema_name != recipe_schema)
    return schema.error(
        fmt::format("schema '{}' is not known; this version reads {}", escape_untrusted(schema_name), recipe_schema));
  VMPATCH_TRY(const YamlNode id, map.require("id"));
  VMPATCH_TRY(recipe.id, id.text());
  if (!is_recipe_id(recipe.id))
    return id.error("an id has 2 to 128 of a-z, 0-9, '.', '+' and '-', and begins with a letter or digit");
  VMPATCH_TRY(const YamlNode version, map.require("version"));
  VMPATCH_TRY(const auto number, version.integer(1, std::numeric_limits<std::uint32_t>::max()));
  recipe.version = static_cast<std::uint32_t>(number);
  VMPATCH_TRY(const YamlNode title, map.require("title"));
  VMPATCH_TRY(recipe.title, read_line(title, 200));
  VMPATCH_TRY(const YamlNode issued, map.require("issued"));
  VMPATCH_TRY(recipe.issued, issued.time());
  if (const auto expires = map.find("expires")) {
    VMPATCH_TRY(recipe.expires, expires->time());
    if (*recipe.expires <= recipe.issued) return expires->error("expires must be later than issued");
  }
  if (const auto severity = map.find("severity")) {
    VMPATCH_TRY(const std::string word, severity->text());
    const auto parsed = parse_severity(word);
    if (!parsed) return severity->error(parsed.error().message);
    recipe.severity = *parsed;
  }
  return {};
}

Result<void> parse_fixes(YamlMapping& map, Recipe& recipe) {
  const auto fixes = map.find("fixes");
  if (!fixes) return {};
  VMPATCH_TRY(const auto items, fixes->items());
  for (const auto& item : items) {
    VMPATCH_TRY(std::string fix, item.text());
    if (!is_fix_id(fix)) return item.error(fmt::format("'{}' is not an id as CVE-2026-0001", escape_untrusted(fix)));
    if (std::find(recipe.fixes.begin(), recipe.fixes.end(), fix) != recipe.fixes.end())
      return item.error(fmt::format("'{}' is listed twice", fix));
    recipe.fixes.push_back(std::move(fix));
  }
  return {};
}

/// One text or a list of texts.
Result<std::vector<std::string>> read_one_or_more(const YamlNode& node) {
  std::vector<YamlNode> items{node};
  if (node.kind() == YamlNode::Kind::sequence) {
    VMPATCH_TRY(items, node.items());
    if (items.empty()) return node.error("at least one value was expected");
  }
  std::vector<std::string> texts;
  for (const auto& item : items) {
    VMPATCH_TRY(std::string text, read_line(item, 64));
    texts.push_back(std::move(text));
  }
  return texts;
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
}

Result<void> parse_applies_to(YamlMapping& recipe_map, Recipe& recipe) {
  VMPATCH_TRY(const YamlNode node, recipe_map.require("applies_to"));
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  AppliesTo& target = recipe.applies_to;
  VMPATCH_TRY(const YamlNode os, map.require("os"));
  VMPATCH_TRY(YamlMapping os_map, YamlMapping::of(os));
  VMPATCH_TRY(const YamlNode os_id, os_map.require("id"));
  VMPATCH_TRY(target.os_id, os_id.text());
  if (!is_word(target.os_id)) return os_id.error("an os id is the ID of os-release, as debian");
  if (const auto version_id = os_map.find("version_id")) {
    VMPATCH_TRY(target.version_id, read_one_or_more(*version_id));
  }
  VMPATCH_CHECK(os_map.finish());
  if (const auto arch = map.find("arch")) {
    VMPATCH_TRY(const auto items, arch->items());
    for (const auto& item : items) {
      VMPATCH_TRY(std::string word, item.text());
      if (!is_word(word)) return item.error("an architecture is a word of uname, as x86_64");
      target.arch.push_back(std::move(word));
    }
  }
  if (const auto packages = map.find("packages")) {
    VMPATCH_TRY(YamlMapping bounds, YamlMapping::of(*packages));
    for (const auto& [name, value] : bounds.entries()) {
      if (!is_package_name(name)) return value.error(fmt::format("'{}' is not a package name", escape_untrusted(name)));
      VMPATCH_TRY(target.packages[name], read_bound(value));
    }
  }
  return map.finish();
}

/// Gives the node of each payload's name, for errors that only the steps bring to light.
Result<std::vector<YamlNode>> parse_payloads(YamlMapping& recipe_map, Recipe& recipe) {
  std::vector<YamlNode> names;
  const auto list = recipe_map.find("payloads");
  if (!list) return names;
  VMPATCH_TRY(const auto items, list->items());
  if (items.size() > max_entries) return list->error("more than 10000 payloads");
  for (const auto& item : items) {
    VMPATCH_TRY(YamlMapping map, YamlMapping::of(item));
    Payload payload;
    VMPATCH_TRY(const YamlNode name, map.require("name"));
    VMPATCH_TRY(payload.name, name.text());
    if (!is_payload_name(payload.name))
      return name.error(fmt::format("'{}' is not a plain file name", escape_untrusted(payload.name)));
    if (recipe.find_payload(payload.name) != nullptr)
      return name.error(fmt::format("payload '{}' is declared twice", payload.name));
    VMPATCH_TRY(const YamlNode digest, map.require("sha256"));
    VMPATCH_TRY(payload.sha256, read_digest(digest));
    VMPATCH_TRY(const YamlNode size, map.require("size"));
    VMPATCH_TRY(const auto bytes, size.integer(0, max_payload));
    payload.size = static_cast<std::uint64_t>(bytes);
    VMPATCH_CHECK(map.finish());
    for (const auto& other : recipe.payloads)
      if (other.sha256 == payload.sha256 && other.size != payload.size)
        return size.error(fmt::format("payload '{}' has the same sha256 and another size", other.name));
    recipe.payloads.push_back(std::move(payload));
    names.push_back(name);
  }
  return names;
}

bool changes_unseen(const Step& step) {
  return std::holds_alternative<step::Run>(step) || std::holds_alternative<step::Firstboot>(step) ||
         std::holds_alternative<step::Unarchive>(step);
}

Result<void> parse_steps(YamlMapping& map, Recipe& recipe, const std::vector<YamlNode>& payload_names) {
  VMPATCH_TRY(const YamlNode list, map.require("steps"));
  VMPATCH_TRY(const auto items, list.items());
  if (items.empty()) return list.error("at least one step was expected");
  if (items.size() > max_entries) return list.error("more than 10000 steps");
  PayloadUse payloads{recipe, {}};
  std::optional<YamlNode> needs_check;
  for (const auto& item : items) {
    VMPATCH_TRY(Step step, parse_step(item, payloads));
    if (changes_unseen(step) && !needs_check) needs_check = item;
    recipe.steps.push_back(std::move(step));
  }
  for (std::size_t i = 0; i < recipe.payloads.size(); ++i)
    if (!payloads.used.contains(recipe.payloads[i].name))
      return payload_names[i].error(fmt::format("payload '{}' is used by no step", recipe.payloads[i].name));

  if (const auto verify = map.find("verify")) {
    VMPATCH_TRY(const auto entries, verify->items());
    if (entries.size() > max_entries) return verify->error("more than 10000 checks");
    for (const auto& entry : entries) {
      VMPATCH_TRY(auto checks, parse_checks(entry));
      for (auto& made : checks) recipe.verify.push_back(std::move(made));
    }
  }
  if (needs_check && recipe.verify.empty())
    return needs_check->error("a run, firstboot or unarchive step needs at least one entry under verify");
  return {};
}

}  // namespace

Result<Recipe> parse_unverified_recipe(std::string_view yaml, std::string_view file_name) {
  VMPATCH_TRY(const YamlNode root, parse_yaml(yaml, file_name, Errc::untrusted));
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(root));
  Recipe recipe;
  VMPATCH_CHECK(parse_head(map, recipe));
  VMPATCH_CHECK(parse_fixes(map, recipe));
  VMPATCH_CHECK(parse_applies_to(map, recipe));
  VMPATCH_TRY(const auto payload_names, parse_payloads(map, recipe));
  VMPATCH_CHECK(parse_steps(map, recipe, payload_names));
  VMPATCH_CHECK(parse_made_from(map, recipe));
  VMPATCH_CHECK(map.finish());
  return recipe;
}

Result<TrustedRecipe> TrustedRecipe::parse(const trust::Verified<std::string>& bytes, std::string_view file_name) {
  TrustedRecipe trusted;
  VMPATCH_TRY(trusted.recipe_, parse_unverified_recipe(bytes.get(), file_name));
  trusted.digest_ = sha256(bytes.get());
  trusted.signers_ = bytes.signers();
  trusted.made_by_machine_ = bytes.made_by_machine();
  if (trusted.made_by_machine_) VMPATCH_CHECK(check_made_by_machine(trusted.recipe_, file_name));
  return trusted;
}

}  // namespace vmpatch::recipe
