// CycloneDX 1.5 (ECMA-424's predecessor): schema bom-1.5.schema.json.
#include <set>

#include "report/sbom_parts.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::report {
namespace {

constexpr const char* machine_ref = "machine";
constexpr const char* system_ref = "operating-system";

Json property(const char* name, std::string_view value) {
  return {{"name", fmt::format("vm-patch:{}", name)}, {"value", utf8_text(value)}};
}

Json machine_component(const SbomSubject& subject, const guest::Facts& facts) {
  return {{"type", "device"}, {"bom-ref", machine_ref}, {"name", utf8_text(subject.name)},
          {"properties", {property("uuid", subject.uuid), property("architecture", facts.arch)}}};
}

Json system_component(const guest::OsRelease& os) {
  Json component = {{"type", "operating-system"}, {"bom-ref", system_ref}, {"name", utf8_text(os.id)}};
  if (!os.version_id.empty()) component["version"] = utf8_text(os.version_id);
  component["description"] = utf8_text(os.pretty_name);
  return component;
}

Json package_component(const guest::Package& package, const std::string& url, std::string reference) {
  Json component = {{"type", "library"}, {"bom-ref", std::move(reference)}, {"name", utf8_text(package.name)}};
  if (!package.version.empty()) component["version"] = utf8_text(package.version);
  if (!url.empty()) component["purl"] = url;
  component["properties"] = {property("source", package.source), property("source-version", package.source_version),
                             property("status", package.status)};
  return component;
}

/// The package URL, made unique.
std::string take_reference(std::set<std::string>& taken, const std::string& url, const guest::Package& package) {
  const std::string base = url.empty() ? "package:" + utf8_text(package.name) : url;
  std::string reference = base;
  for (int i = 2; !taken.insert(reference).second; ++i) reference = fmt::format("{} ({})", base, i);
  return reference;
}

}  // namespace

Json cyclonedx(const SbomSubject& subject, const guest::Facts& facts) {
  Json components = Json::array({system_component(facts.os)});
  Json contents = Json::array();
  std::set<std::string> taken{machine_ref, system_ref};
  for (const guest::Package& package : facts.packages) {
    if (!package.on_disk()) continue;
    const std::string url = package_url(facts.os, facts.package_manager, package);
    const std::string reference = take_reference(taken, url, package);
    components.push_back(package_component(package, url, reference));
    contents.push_back(reference);
  }
  const Json tool = {{"type", "application"}, {"name", "vm-patch"}, {"version", subject.program_version}};
  const Json metadata = {{"timestamp", format_time(subject.time)}, {"tools", {{"components", Json::array({tool})}}},
                         {"component", machine_component(subject, facts)}};
  const Json dependencies = {{{"ref", machine_ref}, {"dependsOn", Json::array({system_ref})}},
                             {{"ref", system_ref}, {"dependsOn", std::move(contents)}}};
  const Json content = {{"metadata", metadata}, {"components", std::move(components)}, {"dependencies", dependencies}};
  Json document = {{"$schema", "http://cyclonedx.org/schema/bom-1.5.schema.json"}, {"bomFormat", "CycloneDX"}, {"specVersion", "1.5"}};
  document["serialNumber"] = "urn:uuid:" + named_uuid("cyclonedx " + dump_json(content));
  document["version"] = 1;
  document.update(content);
  return document;
}

}  // namespace vmpatch::report
