#include <algorithm>

#include "policy/parse.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::policy {
namespace {

using recipe::YamlMapping;
using recipe::YamlNode;

constexpr std::int64_t highest_version = 0xFFFF'FFFF;

Result<std::vector<std::string>> parse_texts(const YamlNode& node, std::string_view what) {
  VMPATCH_TRY(const auto items, node.items());
  std::vector<std::string> texts;
  for (const YamlNode& item : items) {
    VMPATCH_TRY(std::string text, item.text());
    if (text.empty()) return item.error(fmt::format("an empty {} matches nothing", what));
    texts.push_back(std::move(text));
  }
  return texts;
}

Result<std::vector<std::string>> parse_uuids(const YamlNode& node) {
  VMPATCH_TRY(const auto items, node.items());
  std::vector<std::string> uuids;
  for (const YamlNode& item : items) {
    VMPATCH_TRY(std::string text, item.text());
    if (!is_uuid(text)) return item.error(fmt::format("'{}' is not a UUID", escape_untrusted(text)));
    std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; });
    uuids.push_back(std::move(text));
  }
  return uuids;
}

Result<void> parse_match(const YamlNode& node, Group& group) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  if (const auto names = map.find("names")) {
    VMPATCH_TRY(group.names, parse_texts(*names, "name pattern"));
  }
  if (const auto uuids = map.find("uuids")) {
    VMPATCH_TRY(group.uuids, parse_uuids(*uuids));
  }
  if (const auto groups = map.find("metadata_groups")) {
    VMPATCH_TRY(group.metadata_groups, parse_texts(*groups, "metadata group"));
  }
  VMPATCH_CHECK(map.finish());
  if (group.names.empty() && group.uuids.empty() && group.metadata_groups.empty()) {
    return node.error("this group matches no machine; give names, uuids or metadata_groups");
  }
  return {};
}

/// One of two words; true for the first.
Result<bool> parse_choice(const YamlNode& node, std::string_view yes, std::string_view no) {
  VMPATCH_TRY(const std::string text, node.text());
  if (text == yes) return true;
  if (text == no) return false;
  return node.error(fmt::format("'{}' is neither {} nor {}", escape_untrusted(text), yes, no));
}

Result<Baseline> parse_baseline(const YamlNode& node) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  Baseline baseline;
  if (const auto attested = map.find("attested")) {
    VMPATCH_TRY(baseline.attested, attested->boolean());
  }
  if (const auto age = map.find("max_age")) {
    VMPATCH_TRY(baseline.max_age, age->duration());
  }
  if (const auto recipes = map.find("recipes")) {
    VMPATCH_TRY(YamlMapping versions, YamlMapping::of(*recipes));
    for (const auto& [id, version] : versions.entries()) {
      if (id.empty()) return version.error("a recipe id is empty");
      VMPATCH_TRY(const std::int64_t number, version.integer(1, highest_version));
      baseline.recipes[id] = static_cast<std::uint32_t>(number);
    }
  }
  if (const auto proof = map.find("proof")) {
    VMPATCH_TRY(baseline.delivered_proof, parse_choice(*proof, "delivered", "any"));
  }
  VMPATCH_CHECK(map.finish());
  return baseline;
}

Result<GroupRefresh> parse_refresh(const YamlNode& node) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  GroupRefresh refresh;
  if (const auto mode = map.find("mode")) {
    VMPATCH_TRY(const std::string text, mode->text());
    if (text == "never") {
      refresh.never = true;
    } else {
      if (text != "security" && text != "all") return mode->error(fmt::format("'{}' is none of security, all and never", escape_untrusted(text)));
      refresh.mode = text == "all" ? repository::Mode::all : repository::Mode::security;
    }
  }
  if (const auto exclude = map.find("exclude")) {
    VMPATCH_TRY(refresh.exclude, parse_texts(*exclude, "package pattern"));
  }
  if (const auto halt = map.find("halt_after")) {
    VMPATCH_TRY(const std::int64_t failures, halt->integer(1, 1'000'000));
    refresh.halt_after = static_cast<unsigned>(failures);
  }
  VMPATCH_CHECK(map.finish());
  return refresh;
}

}  // namespace

Result<Group> parse_group(const YamlNode& node) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  Group group;
  VMPATCH_TRY(const YamlNode name, map.require("name"));
  VMPATCH_TRY(group.name, name.text());
  if (group.name.empty()) return name.error("a group needs a name");
  VMPATCH_TRY(const YamlNode match, map.require("match"));
  VMPATCH_CHECK(parse_match(match, group));
  if (const auto baseline = map.find("baseline")) {
    VMPATCH_TRY(group.baseline, parse_baseline(*baseline));
  }
  VMPATCH_TRY(group.boot, parse_boot_rule(map));
  if (const auto on_error = map.find("on_error")) {
    VMPATCH_TRY(group.closed_on_error, parse_choice(*on_error, "closed", "open"));
  }
  if (const auto action = map.find("action")) {
    VMPATCH_TRY(group.deny, parse_choice(*action, "deny", "warn"));
  }
  if (const auto refresh = map.find("refresh")) {
    VMPATCH_TRY(group.refresh, parse_refresh(*refresh));
  }
  VMPATCH_CHECK(map.finish());
  return group;
}

}  // namespace vmpatch::policy
