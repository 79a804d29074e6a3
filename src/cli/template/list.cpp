#include <algorithm>

#include "cli/common/output.hpp"
#include "cli/common/plan_text.hpp"
#include "cli/common/progress.hpp"
#include "cli/template/template_verbs.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fleet/templates.hpp"

namespace vmpatch::cli {
namespace {

using fleet::Template;
using fleet::TemplateVersion;

struct Found {
  std::vector<Template> templates;
  bool is_whole = false;
};

Result<Found> find(Context& context, const TemplateOptions& options) {
  ProgressDisplay display(context);
  VMPATCH_TRY(auto setup, fleet::EngineSetup::make(context, display, display));
  auto machines = options.machines;
  machines.all = machines.domains.empty();
  VMPATCH_TRY(const auto selected, setup->select(context, machines));
  Found found;
  VMPATCH_TRY(found.templates, fleet::find_templates(*setup, selected));
  found.is_whole = setup->selection().is_whole();
  return found;
}

long days_since(const Context& context, Time when) {
  return static_cast<long>(std::chrono::duration_cast<std::chrono::hours>(context.clock.now() - when).count() / 24);
}

std::string state_of(const TemplateVersion& version) {
  if (!version.there) return "gone";
  return version.current ? "current" : "old";
}

/// "3 packages, 12 days behind"
std::string behind(const Context& context, const Template& one, const TemplateVersion& version) {
  const auto since = one.stale_since(version);
  if (!since) return "-";
  return fmt::format("{} packages, {} days behind", one.packages_behind(version), days_since(context, *since));
}

std::size_t stale_clones(const Template& one) {
  std::size_t count = 0;
  for (const auto& version : one.versions) count += one.stale_since(version) ? version.clones.size() : 0;
  return count;
}

std::string number(const TemplateVersion* version) { return version == nullptr ? "?" : std::to_string(version->number); }

Json version_json(const Context& context, const Template& one, const TemplateVersion& version) {
  Json files = Json::object();
  for (const auto& [target, path] : version.files) files[target] = path.string();
  const auto since = one.stale_since(version);
  return {{"version", version.number},
          {"state", state_of(version)},
          {"files", std::move(files)},
          {"bytes", version.bytes},
          {"published", version.run_id.empty() ? Json() : Json(format_time(version.since))},
          {"run", version.run_id.empty() ? Json() : Json(version.run_id)},
          {"recipe", version.recipe.empty() ? Json() : Json(version.recipe)},
          {"clones", version.clones},
          {"stale", since.has_value()},
          {"packages_behind", since ? one.packages_behind(version) : 0},
          {"days_behind", since ? days_since(context, *since) : 0}};
}

int print_json_of(const Context& context, const Found& found) {
  Json all = Json::array();
  for (const auto& one : found.templates) {
    Json versions = Json::array();
    for (const auto& version : one.versions) versions.push_back(version_json(context, one, version));
    const auto* current = one.current();
    all.push_back({{"machine", machine_json(one.machine)}, {"current", current == nullptr ? Json() : Json(current->number)}, {"versions", std::move(versions)}});
  }
  print_json({{"schema", "vm-patch/templates/v1"}, {"templates", std::move(all)}});
  return found.is_whole ? 0 : 1;
}

std::string files_of(const TemplateVersion& version) {
  std::string text;
  for (const auto& [target, path] : version.files) text += fmt::format("{}{}", text.empty() ? "" : "\n", escape_untrusted(path.string()));
  return text;
}

}  // namespace

Result<int> list_templates(Context& context, const TemplateOptions& options) {
  VMPATCH_TRY(const auto found, find(context, options));
  if (context.options.json) return print_json_of(context, found);
  Table table({"TEMPLATE", "VERSION", "OF", "PUBLISHED", "CLONES", "STALE", "FILE"});
  for (const auto& one : found.templates) {
    const auto* current = one.current();
    const bool published = current != nullptr && !current->run_id.empty();
    table.add_row({escape_untrusted(one.machine.name), number(current), std::to_string(one.versions.size()), published ? format_time(current->since) : "-",
                   current == nullptr ? "-" : std::to_string(current->clones.size()), std::to_string(stale_clones(one)),
                   current == nullptr ? "other files than vm-patch published" : files_of(*current)});
  }
  print_text(table.empty() ? "No templates: no machine has the role, a name of the policy's patterns, or images that others stand on.\n" : table.format());
  return found.is_whole ? 0 : 1;
}

Result<int> show_templates(Context& context, const TemplateOptions& options) {
  VMPATCH_TRY(const auto found, find(context, options));
  if (context.options.json) return print_json_of(context, found);
  for (const auto& one : found.templates) {
    Table table({"VERSION", "STATE", "PUBLISHED", "BY", "PACKAGES", "SIZE", "CLONES", "STALE", "FILES"});
    for (const auto& version : one.versions) {
      std::string clones;
      for (const auto& name : version.clones) clones += (clones.empty() ? "" : "\n") + escape_untrusted(name);
      const bool first = version.run_id.empty();
      table.add_row({std::to_string(version.number), state_of(version), first ? "-" : format_time(version.since), first ? "-" : escape_untrusted(version.recipe),
                     first ? "-" : std::to_string(version.packages), format_size(version.bytes), clones.empty() ? "-" : clones, behind(context, one, version),
                     files_of(version)});
    }
    print_text(fmt::format("{}\n{}", escape_untrusted(one.machine.name), table.format()));
  }
  if (found.templates.empty()) print_text("No templates.\n");
  return found.is_whole ? 0 : 1;
}

}  // namespace vmpatch::cli
