// What a machine-made recipe says of where it comes from, and what its signature is not enough for.
#include <algorithm>

#include "recipe/parse.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/trust/fingerprint.hpp"

namespace vmpatch::recipe {
namespace {

constexpr std::size_t max_suites = 10'000;

Result<MadeFrom::Suite> parse_made_from_suite(const YamlNode& node) {
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(node));
  MadeFrom::Suite suite;
  VMPATCH_TRY(const YamlNode repository, map.require("repository"));
  VMPATCH_TRY(suite.repository, read_line(repository, 64));
  VMPATCH_TRY(const YamlNode name, map.require("suite"));
  VMPATCH_TRY(suite.suite, read_line(name, 200));
  VMPATCH_TRY(const YamlNode date, map.require("date"));
  VMPATCH_TRY(suite.date, date.time());
  VMPATCH_TRY(const YamlNode digest, map.require("signed_file"));
  VMPATCH_TRY(suite.signed_file, read_digest(digest));
  VMPATCH_TRY(const YamlNode signers, map.require("signers"));
  VMPATCH_TRY(suite.signers, signers.texts());
  if (suite.signers.empty() || !std::all_of(suite.signers.begin(), suite.signers.end(), trust::is_fingerprint))
    return signers.error("fingerprints of 40 or 64 hex digits were expected");
  VMPATCH_CHECK(map.finish());
  return suite;
}

}  // namespace

Result<void> parse_made_from(YamlMapping& recipe_map, Recipe& recipe) {
  const auto node = recipe_map.find("made_from");
  if (!node) return {};
  VMPATCH_TRY(YamlMapping map, YamlMapping::of(*node));
  MadeFrom made;
  VMPATCH_TRY(const YamlNode snapshot, map.require("snapshot"));
  VMPATCH_TRY(made.snapshot, read_digest(snapshot));
  VMPATCH_TRY(const YamlNode suites, map.require("suites"));
  VMPATCH_TRY(const auto items, suites.items());
  if (items.empty() || items.size() > max_suites) return suites.error("1 to 10000 suites were expected");
  for (const auto& item : items) {
    VMPATCH_TRY(auto suite, parse_made_from_suite(item));
    made.suites.push_back(std::move(suite));
  }
  VMPATCH_CHECK(map.finish());
  recipe.made_from = std::move(made);
  return {};
}

Result<void> check_made_by_machine(const Recipe& recipe, std::string_view file_name) {
  const bool only_packages = std::all_of(recipe.steps.begin(), recipe.steps.end(), [](const Step& step) { return std::holds_alternative<step::Packages>(step); });
  if (only_packages && recipe.made_from) return {};
  return fail(Errc::untrusted, "{}: only a refresher signed it, which is enough for packages of a snapshot alone{}; have an author sign it", file_name,
              only_packages ? ", and it does not say which (made_from)" : "");
}

}  // namespace vmpatch::recipe
