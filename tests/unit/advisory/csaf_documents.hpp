#pragma once
// CSAF documents for the tests of matching, built as JSON.

#include <string>
#include <vector>

#include "vmpatch/core/json.hpp"

namespace vmpatch::advisory::test {

/// A branch with one product: `helper` is its package URL or CPE.
inline Json leaf(const std::string& id, const std::string& helper, const std::string& name = "") {
  Json product{{"product_id", id}, {"name", name.empty() ? id : name}};
  if (!helper.empty()) product["product_identification_helper"] = {{helper.starts_with("pkg:") ? "purl" : "cpe", helper}};
  return {{"category", "product_version"}, {"name", id}, {"product", product}};
}

inline Json combination(const std::string& id, const std::string& component, const std::string& base) {
  return {{"category", "default_component_of"}, {"full_product_name", {{"name", component + " as a component of " + base}, {"product_id", id}}},
          {"product_reference", component}, {"relates_to_product_reference", base}};
}

struct Document {
  Json leaves = Json::array();
  Json relationships = Json::array();
  Json vulnerability;
  Json tracking{{"id", "RHSA-1"}};

  Document(std::vector<Json> products, std::vector<Json> combinations, const std::string& status, std::vector<std::string> ids) {
    for (auto& one : products) leaves.push_back(std::move(one));
    for (auto& one : combinations) relationships.push_back(std::move(one));
    vulnerability = {{"cve", "CVE-2022-36760"}, {"product_status", {{status, ids}}}};
  }
  [[nodiscard]] std::string text() const {
    return dump_json({{"document", {{"csaf_version", "2.0"}, {"tracking", tracking}}},
                      {"product_tree", {{"branches", {{{"category", "vendor"}, {"name", "V"}, {"branches", leaves}}}}, {"relationships", relationships}}},
                      {"vulnerabilities", {vulnerability}}});
  }
};

}  // namespace vmpatch::advisory::test
