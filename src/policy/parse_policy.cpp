#include <array>
#include <charconv>
#include <set>

#include "policy/parse.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::policy {
namespace {

using recipe::YamlMapping;
using recipe::YamlNode;

constexpr std::string_view schema_name = "vm-patch/config/v1";
constexpr std::int64_t most_jobs = 64;

Result<void> check_schema(YamlMapping& map) {
  VMPATCH_TRY(const YamlNode schema, map.require("schema"));
  VMPATCH_TRY(const std::string text, schema.text());
  if (text == schema_name) return {};
  return schema.error(fmt::format("schema is '{}', this program reads {}", escape_untrusted(text), schema_name));
}

Result<void> parse_groups(const YamlNode& node, std::vector<Group>& groups) {
  VMPATCH_TRY(const auto items, node.items());
  std::set<std::string> names;
  for (const YamlNode& item : items) {
    VMPATCH_TRY(Group group, parse_group(item));
    if (!names.insert(group.name).second) {
      return item.error(fmt::format("there are two groups named '{}'", escape_untrusted(group.name)));
    }
    groups.push_back(std::move(group));
  }
  return {};
}

Result<void> parse_repositories(const YamlNode& node, std::vector<repository::Source>& repositories) {
  VMPATCH_TRY(const auto items, node.items());
  std::set<std::string> names;
  for (const YamlNode& item : items) {
    VMPATCH_TRY(auto source, parse_repository(item));
    if (!names.insert(source.name).second) {
      return item.error(fmt::format("there are two repositories named '{}'; rename one of them", escape_untrusted(source.name)));
    }
    repositories.push_back(std::move(source));
  }
  return {};
}

/// Only what does not depend on where the program is started; the rest of the syntax is checked when a feed is asked for.
Result<std::string> parse_feed(const YamlNode& node) {
  VMPATCH_TRY(const std::string text, node.text());
  const std::size_t kind = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_-");
  const std::string place = kind != std::string::npos && kind > 0 && text[kind] == '=' ? text.substr(kind + 1) : text;
  if (place.starts_with('/') || place.starts_with("https://") || place.starts_with("http://")) return text;
  return node.error(fmt::format("'{}' is no feed; write [KIND=]/PATH or [KIND=]https://URL", escape_untrusted(text)));
}

Result<void> parse_feeds(YamlMapping& map, Policy& policy) {
  if (const auto feeds = map.find("feeds")) {
    VMPATCH_TRY(const auto items, feeds->items());
    for (const YamlNode& item : items) {
      VMPATCH_TRY(auto feed, parse_feed(item));
      policy.feeds.push_back(std::move(feed));
    }
  }
  if (const auto age = map.find("feed_max_age")) {
    VMPATCH_TRY(policy.feed_max_age, age->duration());
  }
  return {};
}

Result<Audit> parse_audit(const YamlNode& node) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  Audit audit;
  if (const auto anchor = map.find("anchor")) {
    VMPATCH_TRY(audit.anchor, parse_path(*anchor));
  }
  if (const auto syslog = map.find("syslog")) {
    VMPATCH_TRY(audit.syslog, syslog->boolean());
  }
  if (const auto command = map.find("command")) {
    VMPATCH_TRY(audit.command, command->texts());
    if (audit.command.empty()) return command->error("a command needs a program; remove the line for none");
    if (!audit.command.front().starts_with('/')) {
      return command->error(fmt::format("'{}' is not an absolute path", escape_untrusted(audit.command.front())));
    }
  }
  VMPATCH_CHECK(map.finish());
  return audit;
}

Result<void> parse_limits(YamlMapping& map, Policy& policy) {
  if (const auto jobs = map.find("jobs")) {
    VMPATCH_TRY(const std::int64_t number, jobs->integer(1, most_jobs));
    policy.jobs = static_cast<unsigned>(number);
  }
  if (const auto reserve = map.find("space_reserve")) {
    VMPATCH_TRY(policy.space_reserve, parse_size(*reserve));
  }
  if (const auto keep = map.find("undo_keep")) {
    VMPATCH_TRY(policy.undo_keep, keep->duration());
  }
  VMPATCH_TRY(policy.boot, parse_boot_rule(map));
  return {};
}

}  // namespace

Result<std::filesystem::path> parse_path(const YamlNode& node) {
  VMPATCH_TRY(const std::string text, node.text());
  if (text.empty() || text.front() != '/') {
    return node.error(fmt::format("'{}' is not an absolute path", escape_untrusted(text)));
  }
  return std::filesystem::path(text);
}

Result<std::vector<std::filesystem::path>> parse_paths(const YamlNode& node) {
  VMPATCH_TRY(const auto items, node.items());
  std::vector<std::filesystem::path> paths;
  for (const YamlNode& item : items) {
    VMPATCH_TRY(auto path, parse_path(item));
    paths.push_back(std::move(path));
  }
  return paths;
}

Result<std::uint64_t> parse_size(const YamlNode& node) {
  static constexpr std::array<std::pair<std::string_view, unsigned>, 5> units{
      {{"KiB", 10U}, {"MiB", 20U}, {"GiB", 30U}, {"TiB", 40U}, {"", 0U}}};
  VMPATCH_TRY(const std::string text, node.text());
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const auto& [name, shift] : units) {
    if (error == std::errc() && unit == name && value <= (~std::uint64_t{0} >> shift)) return value << shift;
  }
  return node.error(fmt::format("'{}' is not a size; write a number and KiB, MiB, GiB or TiB", escape_untrusted(text)));
}

Result<Policy> parse_policy(std::string_view yaml, std::string_view file_name) {
  VMPATCH_TRY(const YamlNode root, recipe::parse_yaml(yaml, file_name, Errc::usage));
  Policy policy;
  if (root.kind() == YamlNode::Kind::null) return policy;
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(root));
  VMPATCH_CHECK(check_schema(map));
  if (const auto dir = map.find("state_dir")) {
    VMPATCH_TRY(policy.state_dir, parse_path(*dir));
  }
  if (const auto connect = map.find("connect")) {
    VMPATCH_TRY(policy.connect, connect->texts());
  }
  if (const auto dirs = map.find("allow_backing")) {
    VMPATCH_TRY(policy.allow_backing, parse_paths(*dirs));
  }
  if (const auto files = map.find("not_clones")) {
    VMPATCH_TRY(policy.not_clones, parse_paths(*files));
  }
  if (const auto templates = map.find("templates")) {
    VMPATCH_TRY(policy.templates, templates->texts());
  }
  if (const auto key = map.find("attestation_key")) {
    VMPATCH_TRY(policy.attestation_key, parse_path(*key));
  }
  if (const auto audit = map.find("audit")) {
    VMPATCH_TRY(policy.audit, parse_audit(*audit));
  }
  VMPATCH_CHECK(parse_limits(map, policy));
  VMPATCH_CHECK(parse_feeds(map, policy));
  if (const auto repositories = map.find("repositories")) {
    VMPATCH_CHECK(parse_repositories(*repositories, policy.repositories));
  }
  if (const auto groups = map.find("groups")) {
    VMPATCH_CHECK(parse_groups(*groups, policy.groups));
  }
  VMPATCH_CHECK(map.finish());
  return policy;
}

}  // namespace vmpatch::policy
