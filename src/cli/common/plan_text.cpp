#include "cli/common/plan_text.hpp"

#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::cli {
namespace {

std::string list(std::string_view title, const std::vector<std::string>& lines) {
  if (lines.empty()) return {};
  auto text = fmt::format("  {}:\n", title);
  for (const auto& line : lines) text += fmt::format("    {}\n", line);
  return text;
}

std::string format_packages(const std::vector<plan::PackageChange>& packages) {
  std::size_t name_width = 0;
  std::size_t from_width = 0;
  for (const auto& change : packages) {
    name_width = std::max(name_width, change.name.size());
    from_width = std::max(from_width, std::max<std::size_t>(change.from.size(), 3));
  }
  std::string text;
  for (const auto& change : packages) {
    text += fmt::format("    {:<{}}  {:<{}}  ->  {}\n", escape_untrusted(change.name), name_width,
                        change.is_new() ? "new" : escape_untrusted(change.from), from_width, escape_untrusted(change.to));
  }
  return text;
}

std::string headline(const plan::Plan& plan) {
  switch (plan.outcome) {
    case plan::Outcome::apply: return "would be patched";
    case plan::Outcome::satisfied: return "nothing to do";
    case plan::Outcome::not_applicable: return "recipe does not apply";
    case plan::Outcome::refused: return "not touched";
  }
  return {};
}

std::string format_boot(const engine::BootOutcome& boot) {
  if (boot.up) return fmt::format("  started once for a proof: up after {}, seen by {}\n", format_duration(boot.took), proof::to_string(*boot.up));
  return fmt::format("  not started for a proof: {}\n", boot.skipped);
}

}  // namespace

std::string full_name(const inventory::Machine& machine) {
  return machine.name + (machine.at_snapshot.empty() ? "" : " at snapshot " + machine.at_snapshot);
}

Json machine_json(const inventory::Machine& machine) {
  Json json{{"uuid", machine.uuid}, {"name", machine.name}, {"host", machine.host}};
  if (!machine.at_snapshot.empty()) json["snapshot"] = machine.at_snapshot;
  return json;
}

Json failure_json(const inventory::Machine& machine, const Error& error) {
  return {{"machine", machine_json(machine)}, {"error", {{"code", to_string(error.code)}, {"message", error.message}}}};
}

std::string format_plan(const plan::Plan& plan, bool verbose) {
  auto text = fmt::format("{} ({}): {}\n", escape_untrusted(plan.machine_name), plan.host, headline(plan));
  text += fmt::format("  recipe {} version {}: {}{}\n", plan.recipe_id, plan.recipe_version, escape_untrusted(plan.recipe_title),
                      plan.severity == "none" ? "" : ", severity " + plan.severity);
  if (verbose && !plan.fixes.empty()) text += fmt::format("  fixes {}\n", fmt::join(plan.fixes, " "));
  if (plan.outcome != plan::Outcome::apply) return text + list("because", plan.reasons);
  text += list("steps", plan.steps);
  if (!plan.packages.empty()) text += fmt::format("  packages ({}):\n{}", plan.packages.size(), format_packages(plan.packages));
  text += list("left alone", plan.skipped);
  text += list("removed", plan.removals);
  text += list("notes", plan.notes);
  if (verbose) text += list("not yet true", plan.pending);
  text += fmt::format("  needs up to {} in the state directory\n", format_size(plan.space_needed));
  return text;
}

std::string format_dropped(const std::vector<engine::DroppedRecipe>& dropped) {
  std::string text;
  for (const auto& recipe : dropped) {
    text += fmt::format("  no longer attested: {} version {}: {}\n", escape_untrusted(recipe.id), recipe.version, recipe.reason);
  }
  return text;
}

std::string format_published(const engine::Report& report) {
  std::string text;
  for (const auto& disk : report.published) {
    text += fmt::format("  published: {} is now {} ({} is as it was)\n", escape_untrusted(disk.target), escape_untrusted(disk.to.string()),
                        escape_untrusted(disk.from.string()));
  }
  auto stale = report.stale;
  for (auto& name : stale) name = escape_untrusted(name);
  if (!stale.empty()) text += fmt::format("  stale, on the old version: {}\n", fmt::join(stale, ", "));
  return text;
}

std::string describe_weaker(std::string_view proof) {
  if (proof == "own-lists") return "weaker proof: by the guest's own lists, which its root can forge";
  if (proof == "not-installed") return "weaker proof: none of its packages is installed, so that nothing was compared";
  return {};
}

std::string format_report(const engine::Report& report, bool verbose) {
  const auto weaker = report.proof ? describe_weaker(to_string(*report.proof)) : std::string();
  const auto proof = weaker.empty() ? weaker : fmt::format("  {}\n", weaker);
  if (report.run_id.empty()) return format_plan(report.plan, verbose) + proof + format_dropped(report.dropped);
  auto text = fmt::format("{}: patched by {} version {} in {}, {} written\n", escape_untrusted(report.plan.machine_name),
                          report.plan.recipe_id, report.plan.recipe_version, format_duration(report.duration),
                          format_size(report.changed_bytes));
  text += format_published(report);
  text += format_packages(report.plan.packages);
  text += list("kept as the administrator changed them (the package's version lies beside as *.dpkg-dist)", report.kept_conffiles);
  text += list("at its next start", report.remarks);
  text += list("the machine's own, put back as they were (a script of the patch had changed them)", report.put_back);
  if (verbose) text += list("verified", report.checks);
  if (report.boot) text += format_boot(*report.boot);
  text += proof + format_dropped(report.dropped);
  text += fmt::format("  run {}; {} checks held; undo with: vm-patch rollback {}\n", report.run_id, report.checks.size(),
                      report.run_id);
  return text;
}

}  // namespace vmpatch::cli
