#include "advisory/units.hpp"

#include <algorithm>
#include <optional>

#include "advisory/csaf_products.hpp"
#include "advisory/match.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::advisory {
namespace {

/// rpm: the name of a source package's file has no epoch, and a part of it may have another one than the rest (mod_ssl of httpd).
/// A source package has the epoch of the package with its name and version, else of those with its version where they agree.
class SourceEpochs {
 public:
  explicit SourceEpochs(const guest::Facts& facts) {
    for (const auto& package : facts.packages) {
      if (!package.on_disk()) continue;
      const SourcePackage source = source_of(package);
      if (without_epoch(package.version) != without_epoch(source.version)) continue;
      const std::string_view version = without_zero_epoch(package.version);
      add(source, version.substr(0, version.size() - without_epoch(version).size()), package.name == source.name);
    }
  }

  /// "1:", "" for none; nothing when it is not known.
  [[nodiscard]] std::optional<std::string> of(const SourcePackage& source) const {
    const auto found = known_.find(key(source));
    return found == known_.end() || !found->second.agreed ? std::nullopt : std::optional(found->second.epoch);
  }

 private:
  struct Known {
    std::string epoch;
    bool agreed = true;
    bool settled = false;  ///< by the package with the source's name
  };
  using Key = std::pair<std::string, std::string>;
  static Key key(const SourcePackage& source) { return {source.name, std::string(without_epoch(source.version))}; }

  void add(const SourcePackage& source, std::string_view epoch, bool has_its_name) {
    const auto [found, is_new] = known_.try_emplace(key(source), Known{std::string(epoch)});
    Known& known = found->second;
    if (has_its_name) known = {std::string(epoch), true, true};
    else if (!is_new && !known.settled && known.epoch != epoch) known.agreed = false;
  }

  std::map<Key, Known> known_;
};

class Grouping {
 public:
  Grouping(const Store& store, const Evaluator& evaluator, const guest::Facts& facts)
      : store_(store), evaluator_(evaluator), facts_(facts), is_rpm_(facts.package_manager == "rpm") {
    if (is_rpm_) epochs_.emplace(facts);
  }

  std::vector<Unit> make() {
    for (const auto& package : facts_.packages) {
      if (package.on_disk()) add(package);
    }
    std::vector<Unit> units;
    for (auto& [name, unit] : by_name_) {
      if (unit.subjects.empty()) continue;
      std::stable_sort(unit.subjects.begin(), unit.subjects.end(), [&](const Subject& a, const Subject& b) {
        return evaluator_.compare(a.source_version.text, b.source_version.text) < 0;
      });
      std::map<std::string_view, std::size_t> groups;
      for (auto& subject : unit.subjects) subject.version_group = groups.try_emplace(subject.source_version.text, groups.size()).first->second;
      units.push_back(std::move(unit));
    }
    return units;
  }

 private:
  /// Unit, source version, stream, own name and version.
  using Place = std::tuple<std::string, std::string, std::string, std::string, std::string>;

  /// Whether a statement is on the binary package of this name.
  [[nodiscard]] bool names_packages(const std::string& name) const {
    const auto all = store_.statements(name);
    return std::any_of(all.begin(), all.end(), [](const Statement& s) { return s.naming != Naming::source; });
  }

  [[nodiscard]] Version version_of(const SourcePackage& source) const {
    if (!is_rpm_) return evaluator_.version(source.version);
    const auto epoch = epochs_->of(source);
    Version version = evaluator_.version(epoch.value_or("") + std::string(without_epoch(source.version)));
    version.has_known_epoch = epoch.has_value();
    return version;
  }

  void add(const guest::Package& package) {
    const SourcePackage source = source_of(package);
    Statements own;
    if (names_packages(package.name)) own = store_.statements(package.name);
    Unit& unit = by_name_[source.name];
    if (unit.name.empty()) {
      unit.name = source.name;
      unit.statements = store_.statements(source.name);
    }
    if (unit.statements.empty() && own.empty()) return;
    Version version = version_of(source);
    const std::string stream = module_stream(package.module);
    Place place{source.name, version.text, stream, "", ""};
    if (!own.empty()) std::tie(std::get<3>(place), std::get<4>(place)) = std::tie(package.name, package.version);
    const auto [found, is_new] = places_.try_emplace(std::move(place), unit.subjects.size());
    if (is_new) {
      version.stream = stream;
      Subject subject{version, evaluator_.version(package.version), version, own, package.name, {}, 0};
      subject.own_version.stream = stream;
      if (const auto origin = origin_of_backport(version.text); !origin.empty()) {
        subject.origin = evaluator_.version(std::string(origin));
        subject.origin.shown = version.text;
      }
      unit.subjects.push_back(std::move(subject));
    }
    unit.subjects[found->second].binaries.push_back(fmt::format("{} {} {}", package.name, package.arch, package.version));
  }

  const Store& store_;
  const Evaluator& evaluator_;
  const guest::Facts& facts_;
  bool is_rpm_;
  std::optional<SourceEpochs> epochs_;
  std::map<std::string, Unit> by_name_;
  std::map<Place, std::size_t> places_;
};

}  // namespace

std::string_view origin_of_backport(std::string_view version) {
  const auto mark = version.rfind("~bpo");
  return mark == std::string_view::npos ? std::string_view() : version.substr(0, mark);
}

std::vector<Unit> make_units(const Store& store, const Evaluator& evaluator, const guest::Facts& facts) {
  return Grouping(store, evaluator, facts).make();
}

}  // namespace vmpatch::advisory
