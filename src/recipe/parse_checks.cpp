#include "recipe/parse.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::recipe {
namespace {

Result<std::vector<Check>> parse_packages(const YamlNode& node) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  std::vector<Check> checks;
  for (const auto& [name, value] : map.entries()) {
    if (!is_package_name(name)) return value.error(fmt::format("'{}' is not a package name", escape_untrusted(name)));
    VMPATCH_TRY(VersionBound bound, read_bound(value));
    checks.emplace_back(check::Package{name, std::move(bound)});
  }
  if (checks.empty()) return node.error("at least one package was expected");
  return checks;
}

Result<std::vector<Check>> parse_file(const YamlNode& node) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  check::File file;
  VMPATCH_TRY(const YamlNode path, map.require("path"));
  VMPATCH_TRY(file.path, read_path(path));
  if (const auto absent = map.find("absent")) {
    VMPATCH_TRY(file.absent, absent->boolean());
  }
  if (const auto digest = map.find("sha256")) {
    VMPATCH_TRY(file.sha256, read_digest(*digest));
  }
  if (const auto mode = map.find("mode")) {
    VMPATCH_TRY(file.mode, read_mode(*mode));
  }
  if (const auto owner = map.find("owner")) {
    VMPATCH_TRY(file.owner, read_account(*owner));
  }
  if (const auto group = map.find("group")) {
    VMPATCH_TRY(file.group, read_account(*group));
  }
  if (const auto content = map.find("content")) {
    VMPATCH_TRY(file.content, content->text());
  }
  VMPATCH_CHECK(map.finish());
  if (file.absent && (file.sha256 || file.mode || file.owner || file.group || file.content))
    return node.error("a file that must be absent has nothing else to check");
  return std::vector<Check>{std::move(file)};
}

Result<std::vector<Check>> parse_service(const YamlNode& node) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  check::Service service;
  VMPATCH_TRY(const YamlNode name, map.require("name"));
  VMPATCH_TRY(service.name, read_unit(name));
  VMPATCH_TRY(const YamlNode state, map.require("state"));
  VMPATCH_TRY(service.state, read_unit_state(state));
  VMPATCH_CHECK(map.finish());
  return std::vector<Check>{std::move(service)};
}

}  // namespace

Result<SingleEntry> read_single(const YamlNode& node, std::string_view what) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  auto entries = map.entries();
  if (entries.size() != 1) return node.error(fmt::format("a {} has exactly one key, its kind", what));
  return SingleEntry{std::move(entries[0].first), std::move(entries[0].second)};
}

Result<std::vector<Check>> parse_checks(const YamlNode& node) {
  VMPATCH_TRY(const SingleEntry entry, read_single(node, "check"));
  if (entry.key == "package") return parse_packages(entry.value);
  if (entry.key == "file") return parse_file(entry.value);
  if (entry.key == "service") return parse_service(entry.value);
  return node.error(fmt::format("this version knows no check of kind '{}'; it knows: package, file, service",
                                escape_untrusted(entry.key)));
}

}  // namespace vmpatch::recipe
