#pragma once
// Small guests, packages and recipes for the tests of plan.

#include "vmpatch/plan/plan.hpp"

namespace vmpatch::plan::samples {

inline guest::Package installed(const std::string& name, const std::string& version,
                                const std::string& status = "install ok installed", const std::string& arch = "amd64") {
  guest::Package package;
  package.name = name;
  package.version = version;
  package.arch = arch;
  package.source = name;
  package.source_version = version;
  package.status = status;
  return package;
}

inline guest::Facts debian(std::vector<guest::Package> packages) {
  guest::Facts facts;
  facts.os = {"debian", "12", "Debian GNU/Linux 12 (bookworm)", "bookworm"};
  facts.arch = "x86_64";
  facts.package_manager = "dpkg";
  facts.packages = std::move(packages);
  return facts;
}

inline PayloadPackage payload(const std::string& name, const std::string& version, const std::string& depends = "") {
  PayloadPackage package;
  package.payload = name + ".deb";
  package.deb.control = {{"Package", name}, {"Version", version}, {"Architecture", "amd64"}, {"Installed-Size", "100"}};
  if (!depends.empty()) package.deb.control["Depends"] = depends;
  return package;
}

/// An upgrade recipe for these packages, as `recipe from-packages` makes it.
inline recipe::Recipe upgrade(const std::vector<PayloadPackage>& payloads) {
  recipe::Recipe recipe;
  recipe.id = "sample";
  recipe.version = 3;
  recipe.title = "Sample";
  recipe.applies_to.os_id = "debian";
  recipe.applies_to.version_id = {"12"};
  recipe.applies_to.arch = {"x86_64"};
  recipe::step::Packages step;
  for (const auto& package : payloads) {
    step.install.push_back(package.payload);
    recipe.payloads.push_back({package.payload, Digest{}, 1000});
    recipe.applies_to.packages[package.deb.name()] = {recipe::VersionBound::Op::lt, package.deb.version()};
    recipe.verify.emplace_back(recipe::check::Package{package.deb.name(), {recipe::VersionBound::Op::ge, package.deb.version()}});
  }
  recipe.steps.emplace_back(step);
  return recipe;
}

inline Selection select(const recipe::Recipe& recipe, const std::vector<PayloadPackage>& payloads, const guest::Facts& facts) {
  return select_packages(VersionScheme::deb, recipe, std::get<recipe::step::Packages>(recipe.steps.front()), payloads, facts);
}

}  // namespace vmpatch::plan::samples
