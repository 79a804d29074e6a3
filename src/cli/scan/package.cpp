#include <algorithm>
#include <map>

#include "cli/common/output.hpp"
#include "cli/common/plan_text.hpp"
#include "cli/scan/package_version.hpp"
#include "cli/scan/questions.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

/// Binary and source packages of that name; it may be a pattern.
class Collection {
 public:
  explicit Collection(const std::string& wanted) : wanted_(wanted) {}

  void add(const inventory::Machine& machine, const guest::Facts& facts) {
    bool found = false;
    for (const guest::Package& package : facts.packages) {
      if (!package.on_disk() || !(matches_pattern(wanted_, package.name) || matches_pattern(wanted_, package.source))) continue;
      found = true;
      auto& versions = by_name_[package.name];
      auto version = std::find_if(versions.begin(), versions.end(), [&](const PackageVersion& other) { return is_same_version(other, facts, package); });
      if (version == versions.end()) version = versions.insert(version, {facts.package_manager, facts.os.pretty_name, package, {}});
      version->machines.push_back(&machine);
    }
    if (!found) absent_.push_back(&machine);
  }

  [[nodiscard]] std::vector<PackageVersion> versions() const {
    std::vector<PackageVersion> all;
    for (const auto& [name, versions] : by_name_) all.insert(all.end(), versions.begin(), versions.end());
    std::sort(all.begin(), all.end(), comes_before);
    return all;
  }
  [[nodiscard]] const std::vector<const inventory::Machine*>& absent() const { return absent_; }

 private:
  std::string wanted_;
  std::map<std::string, std::vector<PackageVersion>> by_name_;
  std::vector<const inventory::Machine*> absent_;
};

std::string names_of(const std::vector<const inventory::Machine*>& machines, std::string_view separator) {
  std::vector<std::string> names;
  for (const auto* machine : machines) names.push_back(escape_untrusted(machine->name));
  return fmt::format("{}", fmt::join(names, separator));
}

Json names_json(const std::vector<const inventory::Machine*>& machines) {
  Json json = Json::array();
  for (const auto* machine : machines) json.push_back(machine_json(*machine));
  return json;
}

std::string source_of(const guest::Package& package) {
  return package.source == package.name && package.source_version == package.version
             ? "-"
             : escape_untrusted(package.source) + " " + escape_untrusted(package.source_version);
}

Answer make_answer(const std::string& wanted, const fleet::Survey& survey, const Collection& collection, const Unassessable& unassessable) {
  Table table({"PACKAGE", "VERSION", "ARCH", "SOURCE", "SYSTEM", "COUNT", "MACHINES"});
  Json entries = Json::array();
  for (const PackageVersion& version : collection.versions()) {
    const guest::Package& package = version.package;
    table.add_row({escape_untrusted(package.name), escape_untrusted(package.version), escape_untrusted(package.arch), source_of(package),
                   escape_untrusted(version.system), fmt::format("{}", version.machines.size()), names_of(version.machines, "\n")});
    entries.push_back({{"name", package.name}, {"version", package.version}, {"arch", package.arch}, {"source", package.source},
                       {"source_version", package.source_version}, {"system", version.system}, {"machines", names_json(version.machines)}});
  }
  std::string text = table.empty() ? fmt::format("No machine that was read has {}.\n", escape_untrusted(wanted)) : table.format();
  if (!table.empty() && !collection.absent().empty()) text += fmt::format("\nwithout it: {}\n", names_of(collection.absent(), ", "));
  if (!unassessable.empty()) text += "\n" + unassessable.text();
  Json json = report::head_json("vm-patch/scan-package/v1", survey.head());
  json["package"] = wanted;
  json["versions"] = std::move(entries);
  json["absent"] = names_json(collection.absent());
  unassessable.add_to(json);
  return {std::move(text), std::move(json)};
}

}  // namespace

Result<int> ask_package(Context& context, const ScanOptions& options) {
  fleet::SurveyOptions wanted;
  wanted.feeds = fleet::FeedNeed::none;
  VMPATCH_TRY(const auto survey, make_survey(context, options, wanted));
  Collection collection(*options.package);
  Unassessable unassessable(survey);
  for (const fleet::MachineFacts& machine : survey.machines()) {
    if (machine.facts) {
      collection.add(machine.machine, *machine.facts);
    } else {
      unassessable.add(machine.machine, machine.facts.error());
    }
  }
  VMPATCH_CHECK(tell_answer(context, options, make_answer(*options.package, survey, collection, unassessable)));
  return unassessable.exit_code(false);
}

}  // namespace vmpatch::cli
