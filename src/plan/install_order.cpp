#include <algorithm>
#include <map>
#include <string>

#include "plan/dependencies.hpp"
#include "vmpatch/plan/plan.hpp"

namespace vmpatch::plan {
namespace {

/// `package` comes `distance` batches behind `other`, or later.
struct Rule {
  std::size_t package;
  std::size_t other;
  std::size_t distance;
};

class Rules {
 public:
  Rules(VersionScheme scheme, const std::vector<PackageChange>& changes, const std::vector<PayloadPackage>& payloads,
        const guest::Facts& facts)
      : scheme_(scheme), changes_(changes) {
    for (const auto& change : changes) {
      debs_.push_back(&std::find_if(payloads.begin(), payloads.end(), [&](const auto& p) { return p.payload == change.payload; })->deb);
    }
    for (const auto& package : facts.packages) {
      if (package.installed()) installed_.emplace(package.name, package.version);
    }
  }

  std::vector<Rule> all() {
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      needs(i, "Pre-Depends", 1);
      needs(i, "Depends", 0);
      replaces_enemies(i);
    }
    return std::move(rules_);
  }

 private:
  /// By what is configured before the first call.
  bool holds_already(const Relations& alternatives) const {
    return std::any_of(alternatives.begin(), alternatives.end(), [&](const Relation& relation) {
      const auto [first, last] = installed_.equal_range(relation.name);
      return std::any_of(first, last, [&](const auto& entry) { return fits(scheme_, relation, entry.second); });
    });
  }

  void needs(std::size_t i, const char* field, std::size_t distance) {
    for (const auto& alternatives : relations_of(*debs_[i], field)) {
      if (holds_already(alternatives)) continue;
      for (std::size_t other = 0; other < debs_.size(); ++other) {
        const bool offered = other != i && std::any_of(alternatives.begin(), alternatives.end(), [&](const Relation& relation) {
          return offers(scheme_, *debs_[other], relation);
        });
        if (!offered) continue;
        rules_.push_back({i, other, distance});
        break;  // of several the first one in the order of the recipe
      }
    }
  }

  /// What a package conflicts with has to be gone before it is unpacked. (What it Breaks is deconfigured until its own turn.)
  void replaces_enemies(std::size_t i) {
    for (const auto& alternatives : relations_of(*debs_[i], "Conflicts")) {
      for (const auto& relation : alternatives) {
        for (std::size_t other = 0; other < changes_.size(); ++other) {
          const auto& change = changes_[other];
          if (other != i && change.name == relation.name && !change.is_new() && fits(scheme_, relation, change.from)) {
            rules_.push_back({i, other, 1});
          }
        }
      }
    }
  }

  VersionScheme scheme_;
  const std::vector<PackageChange>& changes_;
  std::vector<const recipe::DebPackage*> debs_;
  std::multimap<std::string, std::string> installed_;
  std::vector<Rule> rules_;
};

}  // namespace

std::vector<std::vector<PackageChange>> install_batches(VersionScheme scheme, const std::vector<PackageChange>& changes,
                                                        const std::vector<PayloadPackage>& payloads, const guest::Facts& facts) {
  const auto rules = Rules(scheme, changes, payloads, facts).all();
  std::vector<std::size_t> place(changes.size(), 0);
  // Every round but the last moves something; more rounds than packages are a circle, of which dpkg is the judge.
  bool moved = true;
  for (std::size_t round = 0; moved; ++round) {
    if (round > changes.size()) return {changes};
    moved = false;
    for (const Rule& rule : rules) {
      if (place[rule.package] >= place[rule.other] + rule.distance) continue;
      place[rule.package] = place[rule.other] + rule.distance;
      moved = true;
    }
  }
  std::map<std::size_t, std::vector<PackageChange>> batches;
  for (std::size_t i = 0; i < changes.size(); ++i) batches[place[i]].push_back(changes[i]);
  std::vector<std::vector<PackageChange>> in_order;
  for (auto& [number, batch] : batches) in_order.push_back(std::move(batch));
  return in_order;
}

}  // namespace vmpatch::plan
