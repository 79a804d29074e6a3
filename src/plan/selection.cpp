#include <map>
#include <set>

#include "plan/dependencies.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/plan/plan.hpp"

namespace vmpatch::plan {
namespace {

using ByName = std::multimap<std::string, const PayloadPackage*>;

bool same_architecture(const guest::Package& installed, const recipe::DebPackage& deb) {
  return installed.arch == deb.architecture() || installed.arch == "all" || deb.architecture() == "all";
}

const guest::Package* find_installed(const guest::Facts& facts, const recipe::DebPackage& deb) {
  for (const auto& package : facts.packages) {
    if (package.name == deb.name() && package.installed() && same_architecture(package, deb)) return &package;
  }
  return nullptr;
}

class Selector {
 public:
  Selector(VersionScheme scheme, const recipe::Recipe& recipe, const std::vector<const PayloadPackage*>& offered,
           const guest::Facts& facts)
      : scheme_(scheme), recipe_(recipe), offered_(offered), facts_(facts) {
    for (const auto* payload : offered_) by_name_.emplace(payload->deb.name(), payload);
    for (const auto& package : facts_.packages) {
      if (package.installed()) installed_.emplace(package.name, &package);
    }
  }

  Selection select() {
    for (const auto* payload : offered_) {
      const auto* installed = find_installed(facts_, payload->deb);
      const bool wanted = installed != nullptr ? older(*installed, payload->deb) && !installed->held()
                                               : !recipe_.applies_to.packages.contains(payload->deb.name());
      if (wanted) chosen_.insert(payload);
    }
    while (add_dependencies()) {
    }
    return result();
  }

 private:
  bool older(const guest::Package& installed, const recipe::DebPackage& deb) const {
    return compare_versions(scheme_, installed.version, deb.version()) < 0;
  }

  bool is_held(const PayloadPackage& payload) const {
    const auto* installed = find_installed(facts_, payload.deb);
    return installed != nullptr && installed->held() && older(*installed, payload.deb);
  }

  // A chosen payload replaces what is installed under its name, so the installed version no longer counts then.
  bool holds(const Relation& relation) const {
    for (const auto* payload : chosen_) {
      if (offers(scheme_, payload->deb, relation)) return true;
    }
    const auto [first, last] = installed_.equal_range(relation.name);
    for (auto it = first; it != last; ++it) {
      if (!replaced(*it->second) && fits(scheme_, relation, it->second->version)) return true;
    }
    return false;
  }

  bool replaced(const guest::Package& installed) const {
    for (const auto* payload : chosen_) {
      if (payload->deb.name() == installed.name && same_architecture(installed, payload->deb)) return true;
    }
    return false;
  }

  static std::vector<Relations> needs(const recipe::DebPackage& deb) {
    auto relations = relations_of(deb, "Pre-Depends");
    for (auto& more : relations_of(deb, "Depends")) relations.push_back(std::move(more));
    return relations;
  }

  static bool any(const Relations& alternatives, auto&& predicate) {
    for (const auto& relation : alternatives) {
      if (predicate(relation)) return true;
    }
    return false;
  }

  bool add_dependencies() {
    for (const auto* payload : std::set(chosen_)) {
      for (const auto& alternatives : needs(payload->deb)) {
        if (any(alternatives, [&](const Relation& r) { return holds(r); })) continue;
        if (any(alternatives, [&](const Relation& r) { return choose(r); })) return true;
      }
    }
    return false;
  }

  bool choose(const Relation& relation) {
    const auto [first, last] = by_name_.equal_range(relation.name);
    for (auto it = first; it != last; ++it) {
      if (fits(scheme_, relation, it->second->deb.version()) && !chosen_.contains(it->second) && !is_held(*it->second)) {
        chosen_.insert(it->second);
        return true;
      }
    }
    return false;
  }

  Selection result() const {
    Selection selection;
    for (const auto* payload : offered_) {
      const auto& deb = payload->deb;
      const auto* installed = find_installed(facts_, deb);
      if (chosen_.contains(payload)) {
        selection.changes.push_back({deb.name(), deb.architecture(), payload->payload,
                                     installed != nullptr ? installed->version : std::string(), deb.version()});
        report_unmet(deb, selection);
      } else if (is_held(*payload)) {
        selection.held.push_back({deb.name(), installed->version, deb.version()});
      } else {
        selection.skipped.push_back(fmt::format("{}: {}", deb.name(), why_skipped(installed, deb)));
      }
    }
    return selection;
  }

  static std::string why_skipped(const guest::Package* installed, const recipe::DebPackage& deb) {
    if (installed == nullptr) return "not installed on this machine";
    return fmt::format("{} is installed, not older than {}", escape_untrusted(installed->version), deb.version());
  }

  // Provides of installed packages are not in Facts; a relation that only they meet is left to dpkg's own check.
  void report_unmet(const recipe::DebPackage& deb, Selection& selection) const {
    for (const auto& alternatives : needs(deb)) {
      if (any(alternatives, [&](const Relation& r) { return holds(r); })) continue;
      const auto& first = alternatives.front();
      if (!first.bound || !installed_.contains(first.name)) continue;
      selection.unmet_dependencies.push_back(
          fmt::format("{} {} needs {} {}, which neither the guest nor the bundle has; add that package to the recipe",
                      deb.name(), deb.version(), first.name, first.bound->text()));
    }
  }

  VersionScheme scheme_;
  const recipe::Recipe& recipe_;
  const std::vector<const PayloadPackage*>& offered_;
  const guest::Facts& facts_;
  ByName by_name_;
  std::multimap<std::string, const guest::Package*> installed_;
  std::set<const PayloadPackage*> chosen_;
};

}  // namespace

Selection select_packages(VersionScheme scheme, const recipe::Recipe& recipe, const recipe::step::Packages& step,
                          const std::vector<PayloadPackage>& payloads, const guest::Facts& facts) {
  std::vector<const PayloadPackage*> offered;
  for (const auto& name : step.install) {
    for (const auto& payload : payloads) {
      if (payload.payload == name) offered.push_back(&payload);
    }
  }
  return Selector(scheme, recipe, offered, facts).select();
}

}  // namespace vmpatch::plan
