// The rules are those of the published JSON schemas: bom-1.5.schema.json and SPDX 2.3's spdx-schema.json.
#include <gtest/gtest.h>

#include <random>
#include <regex>
#include <set>

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/uuid.hpp"
#include "vmpatch/report/sbom.hpp"

namespace vmpatch::report {
namespace {

using guest::Facts;

const SbomSubject subject{"web01", "0f0e0d0c-0b0a-4908-8706-050403020100", Time(Seconds(1'790'000'000)), "1.2"};

Facts debian() {
  Facts facts;
  facts.os = {"debian", "12", "Debian GNU/Linux 12 (bookworm)", "bookworm"};
  facts.arch = "x86_64";
  facts.package_manager = "dpkg";
  const auto add = [&](const char* name, const char* status) {
    facts.packages.push_back({name, "1.0-1", "amd64", "source", "1.0", status, false, false});
  };
  add("bash", "install ok installed");
  add("bash", "install ok installed");
  add("half", "install ok half-configured");
  add("kept", "hold ok installed");
  add("removed", "deinstall ok config-files");
  add("gone", "purge ok not-installed");
  return facts;
}

Facts hostile(unsigned seed) {
  std::mt19937 engine(seed);
  const auto below = [&](std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(engine); };
  const auto text = [&] {
    std::string made;
    for (auto left = below(8); left > 0; --left) made += static_cast<char>(below(2) == 0 ? below(256) : 'a' + below(26));
    return made;
  };
  Facts facts;
  facts.os = {text(), text(), text(), text()};
  facts.package_manager = std::vector<std::string>{"dpkg", "rpm", "apk", "pacman", ""}[below(5)];
  for (auto left = below(10); left > 0; --left) {
    facts.packages.push_back({text(), text(), text(), text(), text(), below(2) == 0 ? text() : "install ok installed", false, false});
  }
  return facts;
}

void expect_members(const Json& object, const std::set<std::string>& required, const std::set<std::string>& allowed) {
  ASSERT_TRUE(object.is_object());
  for (const std::string& name : required) EXPECT_TRUE(object.contains(name)) << name;
  for (const auto& [name, value] : object.items()) {
    EXPECT_TRUE(required.contains(name) || allowed.contains(name)) << name;
    if (value.is_string() && name.ends_with("version")) {
      EXPECT_FALSE(value.get<std::string>().empty() && name == "version");
    }
  }
}

void expect_purl(const Json& purl) {
  static const std::regex form("pkg:(deb|rpm|apk|alpm)/([A-Za-z0-9.\\-_~:%]+/)?[A-Za-z0-9.\\-_~:%]+(@[A-Za-z0-9.\\-_~:%]+)?"
                               "(\\?[a-z]+=[A-Za-z0-9.\\-_~:%]+(&[a-z]+=[A-Za-z0-9.\\-_~:%]+)*)?");
  static const std::regex escape("%(?![0-9A-F]{2})");
  EXPECT_TRUE(std::regex_match(purl.get<std::string>(), form)) << purl;
  EXPECT_FALSE(std::regex_search(purl.get<std::string>(), escape)) << purl;
}

const std::regex time_form("\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}Z");

void expect_component(const Json& component, std::set<std::string>& references) {
  expect_members(component, {"type", "name", "bom-ref"}, {"version", "description", "purl", "properties"});
  const std::set<std::string> types{"application", "library", "operating-system", "device"};
  EXPECT_TRUE(types.contains(component["type"].get<std::string>()));
  EXPECT_FALSE(component["bom-ref"].get<std::string>().empty());
  EXPECT_TRUE(references.insert(component["bom-ref"].get<std::string>()).second) << component["bom-ref"];
  if (component.contains("purl")) expect_purl(component["purl"]);
  for (const Json& property : component.value("properties", Json::array())) {
    expect_members(property, {"name", "value"}, {});
    EXPECT_TRUE(property["value"].is_string());
  }
}

void expect_cyclonedx(Json bom) {
  expect_members(bom, {"bomFormat", "specVersion", "serialNumber", "version", "metadata", "components", "dependencies"}, {"$schema"});
  EXPECT_EQ(bom["bomFormat"], "CycloneDX");
  EXPECT_EQ(bom["specVersion"], "1.5");
  EXPECT_EQ(bom["version"], 1);
  EXPECT_TRUE(std::regex_match(bom["serialNumber"].get<std::string>(),
                               std::regex("urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")));
  expect_members(bom["metadata"], {"timestamp", "tools", "component"}, {});
  EXPECT_TRUE(std::regex_match(bom["metadata"]["timestamp"].get<std::string>(), time_form));
  expect_members(bom["metadata"]["tools"], {"components"}, {});
  expect_members(bom["metadata"]["tools"]["components"][0], {"type", "name", "version"}, {});
  std::set<std::string> references;
  expect_component(bom["metadata"]["component"], references);
  for (Json& component : bom["components"]) expect_component(component, references);
  for (const Json& dependency : bom["dependencies"]) {
    expect_members(dependency, {"ref"}, {"dependsOn"});
    EXPECT_TRUE(references.contains(dependency["ref"].get<std::string>()));
    std::set<std::string> once;
    for (const Json& target : dependency["dependsOn"]) {
      EXPECT_TRUE(references.contains(target.get<std::string>()));
      EXPECT_TRUE(once.insert(target.get<std::string>()).second);
    }
  }
}

void expect_spdx(Json document) {
  expect_members(document, {"spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo", "packages", "relationships"}, {});
  EXPECT_EQ(document["spdxVersion"], "SPDX-2.3");
  EXPECT_EQ(document["dataLicense"], "CC0-1.0");
  expect_members(document["creationInfo"], {"created", "creators"}, {});
  EXPECT_TRUE(std::regex_match(document["creationInfo"]["created"].get<std::string>(), time_form));
  const std::string space = document["documentNamespace"];
  EXPECT_TRUE(is_uuid(space.substr(space.size() - 36))) << space;
  EXPECT_EQ(space.find('#'), std::string::npos);
  std::set<std::string> ids{document["SPDXID"].get<std::string>()};
  for (Json& package : document["packages"]) {
    expect_members(package, {"SPDXID", "name", "downloadLocation", "filesAnalyzed"},
                   {"versionInfo", "licenseConcluded", "licenseDeclared", "copyrightText", "summary", "comment", "primaryPackagePurpose",
                    "sourceInfo", "externalRefs"});
    const std::string id = package["SPDXID"];
    EXPECT_TRUE(std::regex_match(id, std::regex("SPDXRef-[a-zA-Z0-9.-]+"))) << id;
    EXPECT_TRUE(ids.insert(id).second) << id;
    for (const Json& reference : package.value("externalRefs", Json::array())) {
      expect_members(reference, {"referenceCategory", "referenceType", "referenceLocator"}, {});
      EXPECT_EQ(reference["referenceCategory"], "PACKAGE-MANAGER");
      expect_purl(reference["referenceLocator"]);
    }
  }
  for (const Json& relation : document["relationships"]) {
    expect_members(relation, {"spdxElementId", "relationshipType", "relatedSpdxElement"}, {});
    EXPECT_TRUE(ids.contains(relation["spdxElementId"].get<std::string>()));
    EXPECT_TRUE(ids.contains(relation["relatedSpdxElement"].get<std::string>()));
  }
}

TEST(Cyclonedx, follows_the_schema_for_whatever_a_guest_says) {
  expect_cyclonedx(sbom(SbomFormat::cyclonedx, subject, debian()));
  for (unsigned seed = 0; seed < 200; ++seed) {
    const auto again = parse_json(dump_json(sbom(SbomFormat::cyclonedx, subject, hostile(seed))), "sbom");
    ASSERT_TRUE(again.has_value());
    expect_cyclonedx(*again);
  }
}

TEST(Spdx, follows_the_schema_for_whatever_a_guest_says) {
  expect_spdx(sbom(SbomFormat::spdx, subject, debian()));
  for (unsigned seed = 0; seed < 200; ++seed) {
    const auto again = parse_json(dump_json(sbom(SbomFormat::spdx, subject, hostile(seed))), "sbom");
    ASSERT_TRUE(again.has_value());
    expect_spdx(*again);
  }
}

TEST(Sbom, holds_what_is_there_and_not_what_was_removed) {
  const Json bom = sbom(SbomFormat::cyclonedx, subject, debian());
  std::vector<std::string> names;
  for (const Json& component : bom["components"]) names.push_back(component["name"]);
  EXPECT_EQ(names, (std::vector<std::string>{"debian", "bash", "bash", "half", "kept"}));
  EXPECT_EQ(bom["components"][1]["purl"], "pkg:deb/debian/bash@1.0-1?arch=amd64&distro=debian-12&upstream=source%401.0");
  EXPECT_EQ(bom["metadata"]["component"]["name"], "web01");
  EXPECT_EQ(bom["metadata"]["timestamp"], "2026-09-21T14:13:20Z");
  const Json document = sbom(SbomFormat::spdx, subject, debian());
  EXPECT_EQ(document["packages"].size(), 6U);
  EXPECT_EQ(document["packages"][2]["name"], "bash");
  EXPECT_FALSE(document["packages"][2].contains("comment"));
  EXPECT_EQ(document["packages"][4]["name"], "half");
  EXPECT_EQ(document["packages"][4]["comment"], "not wholly installed: install ok half-configured");
  EXPECT_EQ(bom["components"][3]["properties"][2]["value"], "install ok half-configured");
  EXPECT_EQ(document["packages"][2]["sourceInfo"], "built from the source package source 1.0");
}

TEST(Sbom, same_facts_and_time_give_the_same_bytes_and_others_another_number) {
  for (const SbomFormat format : {SbomFormat::cyclonedx, SbomFormat::spdx}) {
    const std::string once = dump_json(sbom(format, subject, debian()));
    EXPECT_EQ(once, dump_json(sbom(format, subject, debian())));
    Facts changed = debian();
    changed.packages[0].version = "1.0-2";
    const char* number = format == SbomFormat::cyclonedx ? "serialNumber" : "documentNamespace";
    EXPECT_NE(sbom(format, subject, changed)[number], sbom(format, subject, debian())[number]);
    SbomSubject later = subject;
    later.time += Seconds(1);
    EXPECT_NE(sbom(format, later, debian())[number], sbom(format, subject, debian())[number]);
  }
}

TEST(SbomFormat, words_are_read) {
  EXPECT_EQ(*parse_sbom_format("cyclonedx"), SbomFormat::cyclonedx);
  EXPECT_EQ(*parse_sbom_format("spdx"), SbomFormat::spdx);
  EXPECT_EQ(parse_sbom_format("swid").error().code, Errc::usage);
}

}  // namespace
}  // namespace vmpatch::report
