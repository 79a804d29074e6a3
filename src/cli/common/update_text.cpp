#include "cli/common/update_text.hpp"

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include "cli/common/output.hpp"
#include "cli/common/plan_text.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/inventory/source.hpp"

namespace vmpatch::cli {
namespace {

using repository::Change;
using repository::Update;

constexpr std::size_t enough = 20;

std::string full_package(const std::string& name, const std::string& arch) { return name + ":" + arch; }

std::string reason(const Change& change) {
  std::string text = change.security ? "security" : change.suite;
  if (change.to.empty()) text = change.because.empty() ? "removed" : "removed for " + change.because;
  if (change.from.empty() && !change.because.empty()) text += ", for " + change.because;
  if (change.downgrade) text += ", older";
  return text;
}

std::string format_changes(const Update& update) {
  std::string text;
  std::size_t name_width = 0, from_width = 3, to_width = 0;
  for (const Change& change : update.changes) {
    name_width = std::max(name_width, full_package(change.name, change.arch).size());
    from_width = std::max(from_width, change.from.size());
    to_width = std::max(to_width, std::max<std::size_t>(change.to.size(), 1));
  }
  auto changes = update.changes;
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) { return std::tie(a.name, a.arch) < std::tie(b.name, b.arch); });
  for (const Change& change : changes) {
    text += fmt::format("    {:<{}}  {:<{}}  ->  {:<{}}  {}\n", full_package(change.name, change.arch), name_width, change.from.empty() ? "new" : change.from,
                        from_width, change.to.empty() ? "-" : change.to, to_width, reason(change));
  }
  return text;
}

std::string format_suites(const repository::Snapshot& snapshot) {
  std::string text;
  for (const auto& suite : snapshot.suites) {
    text += fmt::format("  {}, {} of {}{}\n", suite.repository, suite.suite, format_time(suite.date), suite.pinned ? ", pinned" : "");
  }
  return text;
}

std::string format_kept(const Update& update) {
  if (update.kept.empty()) return {};
  std::string text = fmt::format("  kept back ({}):\n", update.kept.size());
  for (const auto& kept : update.kept) {
    const std::string offered = kept.candidate.empty() ? "" : fmt::format(", {} is offered", kept.candidate);
    text += fmt::format("    {} {}{}: {}\n", full_package(kept.name, kept.arch), kept.version, offered, kept.why);
  }
  return text;
}

std::string format_names(std::string_view title, const std::vector<repository::Installed>& packages, bool all) {
  if (packages.empty()) return {};
  std::string names;
  for (std::size_t i = 0; i < packages.size() && (all || i < enough); ++i) names += (i == 0 ? "" : " ") + packages[i].name;
  if (!all && packages.size() > enough) names += fmt::format(" and {} more", packages.size() - enough);
  return fmt::format("  {} ({}): {}\n", title, packages.size(), names);
}

std::string headline(const Update& update) {
  if (update.changes.empty()) return update.mode == repository::Mode::all ? "no update" : "no security update";
  const auto count = [&](auto predicate) { return std::count_if(update.changes.begin(), update.changes.end(), predicate); };
  const auto fresh = count([](const Change& change) { return change.from.empty(); });
  const auto removed = count([](const Change& change) { return change.to.empty(); });
  const auto security = count([](const Change& change) { return change.security; });
  const auto installed = update.installed_size();
  return fmt::format("{} packages would be updated ({} new, {} removed, {} for security), {} to fetch, {} {} in the guest", update.changes.size(), fresh, removed,
                     security, format_size(update.download_size()), format_size(static_cast<std::uint64_t>(std::abs(installed))),
                     installed < 0 ? "less" : "more");
}

}  // namespace

std::string format_update(const inventory::Machine& machine, const fleet::MachineUpdate& update, bool verbose) {
  std::string text = fmt::format("{} ({}): {}\n", escape_untrusted(machine.name), machine.host, headline(update.update));
  text += format_suites(update.snapshot);
  if (update.obstacle) text += fmt::format("  refresh does not do this: {}\n", update.obstacle->message);
  const bool published = inventory::must_publish(machine) && !update.update.changes.empty();
  if (published) text += "  published as a new version, as others stand on its images: none of these is written\n";
  if (!update.update.changes.empty()) text += fmt::format("  packages:\n{}", format_changes(update.update));
  text += format_kept(update.update);
  text += format_names("not updated, as no repository offers them", update.update.unknown, verbose);
  if (!verbose) return text;
  text += format_names("no longer needed by others", update.update.unneeded, true);
  if (!update.update.operations.empty()) text += "  order:\n";
  for (const auto& operation : update.update.operations) {
    text += fmt::format("    {} {}\n", to_string(operation.kind), full_package(operation.name, operation.arch));
  }
  return text;
}

Json suite_json(const repository::Suite& suite) {
  Json json = repository::to_json(suite);
  json.erase("schema");
  json.erase("release");
  return json;
}

Json update_json(const inventory::Machine& machine, const fleet::MachineUpdate& update) {
  Json suites = Json::array();
  for (const auto& suite : update.snapshot.suites) suites.push_back(suite_json(suite));
  Json json{{"machine", machine_json(machine)}, {"suites", std::move(suites)}, {"update", repository::to_json(update.update)}};
  json["published"] = inventory::must_publish(machine) && !update.update.changes.empty();
  if (update.obstacle) json["obstacle"] = {{"code", to_string(update.obstacle->code)}, {"message", update.obstacle->message}};
  return json;
}

}  // namespace vmpatch::cli
