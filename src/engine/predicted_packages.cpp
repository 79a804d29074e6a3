#include "engine/predicted_packages.hpp"

#include <algorithm>
#include <map>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

/// Name and architecture → version, of what is on the disk.
using Database = std::map<std::pair<std::string, std::string>, std::string>;

Database database_of(const guest::Facts& facts) {
  Database database;
  for (const guest::Package& package : facts.packages) {
    if (package.on_disk()) database.emplace(std::pair(package.name, package.arch), package.version);
  }
  return database;
}

/// The new one takes the place of the old one, which may be of another architecture.
void replace(Database& database, const plan::PackageChange& change) {
  const auto old = std::find_if(database.begin(), database.end(), [&](const auto& entry) {
    const bool same_place = entry.first.second == change.arch || entry.first.second == "all" || change.arch == "all";
    return entry.first.first == change.name && same_place && entry.second == change.from;
  });
  if (!change.is_new() && old != database.end()) database.erase(old);
  database[{change.name, change.arch}] = change.to;
}

std::string line(const Database::key_type& key, const std::string& predicted, const std::string& found) {
  const auto shown = [](const std::string& version) { return version.empty() ? std::string("not installed") : escape_untrusted(version); };
  return fmt::format("package {}:{}: predicted {}, is {}", escape_untrusted(key.first), escape_untrusted(key.second), shown(predicted), shown(found));
}

}  // namespace

bool is_predictable(const recipe::Recipe& recipe) {
  return std::none_of(recipe.steps.begin(), recipe.steps.end(), [](const recipe::Step& step) {
    return std::holds_alternative<recipe::step::Run>(step) || std::holds_alternative<recipe::step::Unarchive>(step);
  });
}

std::vector<std::string> unpredicted_packages(const plan::Plan& plan, const guest::Facts& before, const guest::Facts& after) {
  Database predicted = database_of(before);
  for (const plan::PackageChange& change : plan.packages) replace(predicted, change);
  const Database found = database_of(after);
  std::vector<std::string> differences;
  for (const auto& [key, version] : predicted) {
    const auto there = found.find(key);
    if (there == found.end() || there->second != version) differences.push_back(line(key, version, there == found.end() ? "" : there->second));
  }
  for (const auto& [key, version] : found) {
    if (!predicted.contains(key)) differences.push_back(line(key, "", version));
  }
  return differences;
}

}  // namespace vmpatch::engine
