#include <algorithm>
#include <map>
#include <string>

#include "plan/dependencies.hpp"
#include "vmpatch/plan/plan.hpp"

namespace vmpatch::plan {
namespace {

/// Places every package in the earliest call of dpkg that its relations allow.
class Batches {
 public:
  Batches(VersionScheme scheme, const std::vector<PackageChange>& changes, const std::vector<PayloadPackage>& payloads,
          const guest::Facts& facts)
      : scheme_(scheme), changes_(changes), batch_(changes.size(), 0) {
    for (const auto& change : changes) {
      const auto found = std::find_if(payloads.begin(), payloads.end(), [&](const auto& p) { return p.payload == change.payload; });
      debs_.push_back(found == payloads.end() ? nullptr : &found->deb);
    }
    for (const auto& package : facts.packages) {
      if (package.installed()) installed_.emplace(package.name, package.version);
    }
  }

  std::vector<std::vector<PackageChange>> make() {
    // Each round moves some package to a later batch; more rounds than packages are a circle, of which dpkg is the judge.
    std::size_t rounds = 0;
    while (move_on()) {
      if (++rounds > changes_.size() + 1) return {changes_};
    }
    std::vector<std::vector<PackageChange>> batches;
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      batches.resize(std::max(batches.size(), batch_[i] + 1));
      batches[batch_[i]].push_back(changes_[i]);
    }
    std::erase_if(batches, [](const auto& batch) { return batch.empty(); });
    return batches;
  }

 private:
  bool move_on() {
    bool moved = false;
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      const std::size_t least = std::max({after(i, "Pre-Depends", 1), after(i, "Depends", 0), after_broken(i, "Breaks"), after_broken(i, "Conflicts")});
      moved = moved || least > batch_[i];
      batch_[i] = std::max(batch_[i], least);
    }
    return moved;
  }

  std::vector<Relations> relations(std::size_t i, const char* field) const {
    if (debs_[i] == nullptr) return {};
    const auto found = debs_[i]->control.find(field);
    return found == debs_[i]->control.end() ? std::vector<Relations>() : parse_relations(found->second);
  }

  bool fits(const Relation& relation, const std::string& version) const {
    return !relation.bound || in_bounds(scheme_, version, *relation.bound);
  }

  /// By what is configured before the first call.
  bool holds_already(const Relations& alternatives) const {
    return std::any_of(alternatives.begin(), alternatives.end(), [&](const Relation& relation) {
      const auto [first, last] = installed_.equal_range(relation.name);
      return std::any_of(first, last, [&](const auto& entry) { return fits(relation, entry.second); });
    });
  }

  bool offers(std::size_t i, const Relation& relation) const {
    if (changes_[i].name == relation.name) return fits(relation, changes_[i].to);
    for (const auto& provided : relations(i, "Provides")) {
      for (const auto& offer : provided) {
        if (offer.name == relation.name && (!relation.bound || (offer.bound && fits(relation, offer.bound->version)))) return true;
      }
    }
    return false;
  }

  /// The batch behind, or with, what `field` of a package asks of the others; 0 where all holds already.
  std::size_t after(std::size_t i, const char* field, std::size_t distance) const {
    std::size_t least = 0;
    for (const auto& alternatives : relations(i, field)) {
      if (holds_already(alternatives)) continue;
      for (std::size_t other = 0; other < changes_.size(); ++other) {
        const bool offered = other != i && std::any_of(alternatives.begin(), alternatives.end(), [&](const Relation& r) { return offers(other, r); });
        if (!offered) continue;
        least = std::max(least, batch_[other] + distance);
        break;  // of alternatives the first one in the order of the recipe
      }
    }
    return least;
  }

  /// Not before the update of an installed version that it breaks.
  std::size_t after_broken(std::size_t i, const char* field) const {
    std::size_t least = 0;
    for (const auto& alternatives : relations(i, field)) {
      for (const auto& relation : alternatives) {
        for (std::size_t other = 0; other < changes_.size(); ++other) {
          const bool broken = other != i && changes_[other].name == relation.name && !changes_[other].is_new() && fits(relation, changes_[other].from);
          if (broken) least = std::max(least, batch_[other]);
        }
      }
    }
    return least;
  }

  VersionScheme scheme_;
  const std::vector<PackageChange>& changes_;
  std::vector<const recipe::DebPackage*> debs_;
  std::multimap<std::string, std::string> installed_;
  std::vector<std::size_t> batch_;
};

}  // namespace

std::vector<std::vector<PackageChange>> install_batches(VersionScheme scheme, const std::vector<PackageChange>& changes,
                                                        const std::vector<PayloadPackage>& payloads, const guest::Facts& facts) {
  return Batches(scheme, changes, payloads, facts).make();
}

}  // namespace vmpatch::plan
