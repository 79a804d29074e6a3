// SPDX 2.3 as JSON: https://spdx.github.io/spdx-spec/v2.3/, schemas/spdx-schema.json.
#include "report/sbom_parts.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::report {
namespace {

constexpr const char* unknown = "NOASSERTION";
constexpr const char* machine_id = "SPDXRef-Machine";
constexpr const char* system_id = "SPDXRef-OperatingSystem";

/// Members that every package has; nothing is known of its origin and licence.
Json package_head(std::string_view id, std::string_view name, std::string_view version) {
  Json package = {{"SPDXID", id}, {"name", name}};
  if (!version.empty()) package["versionInfo"] = version;
  package["downloadLocation"] = unknown;
  package["filesAnalyzed"] = false;
  package["licenseConcluded"] = unknown;
  package["licenseDeclared"] = unknown;
  package["copyrightText"] = unknown;
  return package;
}

/// Letters, digits, dots and dashes only. The number makes it unique.
std::string package_id(std::size_t number, std::string_view name) {
  std::string id = fmt::format("SPDXRef-Package-{}-", number);
  for (const char c : name.substr(0, 100)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    id += plain ? c : '-';
  }
  return id;
}

Json system_package(const guest::OsRelease& os) {
  Json package = package_head(system_id, utf8_text(os.id), utf8_text(os.version_id));
  package["summary"] = utf8_text(os.pretty_name);
  package["primaryPackagePurpose"] = "OPERATING_SYSTEM";
  return package;
}

Json machine_package(const SbomSubject& subject, const guest::Facts& facts) {
  Json package = package_head(machine_id, utf8_text(subject.name), "");
  package["comment"] = fmt::format("virtual machine {} ({})", utf8_text(subject.uuid), utf8_text(facts.arch));
  package["primaryPackagePurpose"] = "DEVICE";
  return package;
}

Json relationship(std::string_view from, std::string_view type, std::string_view to) {
  return {{"spdxElementId", from}, {"relationshipType", type}, {"relatedSpdxElement", to}};
}

}  // namespace

Json spdx(const SbomSubject& subject, const guest::Facts& facts) {
  Json packages = Json::array({machine_package(subject, facts), system_package(facts.os)});
  Json relationships = Json::array({relationship("SPDXRef-DOCUMENT", "DESCRIBES", machine_id), relationship(machine_id, "CONTAINS", system_id)});
  std::size_t number = 0;
  for (const guest::Package& package : facts.packages) {
    if (!package.on_disk()) continue;
    const std::string id = package_id(++number, package.name);
    Json entry = package_head(id, utf8_text(package.name), utf8_text(package.version));
    entry["sourceInfo"] = fmt::format("built from the source package {} {}", utf8_text(package.source), utf8_text(package.source_version));
    if (!package.installed()) entry["comment"] = fmt::format("not wholly installed: {}", utf8_text(package.status));
    if (const auto url = package_url(facts.os, facts.package_manager, package); !url.empty()) {
      entry["externalRefs"] = Json::array(
          {{{"referenceCategory", "PACKAGE-MANAGER"}, {"referenceType", "purl"}, {"referenceLocator", url}}});
    }
    packages.push_back(std::move(entry));
    relationships.push_back(relationship(system_id, "CONTAINS", id));
  }
  const Json creation = {{"created", format_time(subject.time)}, {"creators", Json::array({"Tool: vm-patch-" + subject.program_version})}};
  const Json content = {{"creationInfo", creation}, {"packages", std::move(packages)}, {"relationships", std::move(relationships)}};
  Json document = {{"spdxVersion", "SPDX-2.3"}, {"dataLicense", "CC0-1.0"}, {"SPDXID", "SPDXRef-DOCUMENT"}};
  document["name"] = utf8_text(subject.name);
  document["documentNamespace"] = "https://spdx.org/spdxdocs/vm-patch-" + named_uuid("spdx " + dump_json(content));
  document.update(content);
  return document;
}

}  // namespace vmpatch::report
