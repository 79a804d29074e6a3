#include "cli/template/template_verbs.hpp"

#include <CLI/CLI.hpp>

#include "cli/verbs.hpp"

namespace vmpatch::cli {
namespace {

using Run = Result<int> (*)(Context&, const TemplateOptions&);

CLI::App* add(CLI::App& parent, Chosen& chosen, const char* name, const char* text, const std::shared_ptr<TemplateOptions>& options, Run run) {
  auto* verb = parent.add_subcommand(name, text);
  verb->callback([options, run, &chosen] { chosen.action = [options, run](Context& context) { return run(context, *options); }; });
  return verb;
}

CLI::Option* add_domain(CLI::App* verb, TemplateOptions& options, const char* text) {
  return verb->add_option("-d,--domain", options.machines.domains, text)->type_name("NAME|UUID")->allow_extra_args(false);
}

}  // namespace

void add_template_verbs(CLI::App& app, Chosen& chosen) {
  auto* parent = app.add_subcommand("template", "Versions of templates: list them, go back, remove old ones");
  parent->require_subcommand(1);
  const auto make = [] { return std::make_shared<TemplateOptions>(); };

  auto listed = make();
  add_domain(add(*parent, chosen, "list", "Each template, its version, and what is stale", listed, list_templates), *listed, "only this one; repeatable");

  auto shown = make();
  auto* show = add(*parent, chosen, "show", "All versions, their files, and what stands on each", shown, show_templates);
  add_domain(show, *shown, "only this one; repeatable");
  show->footer("A clone keeps the version that it was made from: nothing is written below it, and it is never moved to another one. Patch it as a machine "
               "of its own, or make it anew.\n\nExample:\n  vm-patch template show -d debian-12");

  auto demoted = make();
  auto* demote = add(*parent, chosen, "demote", "Give a template the version of before", demoted, demote_template);
  add_domain(demote, *demoted, "the template")->required();
  demote->add_flag("-y,--yes", demoted->yes, "do not ask");
  demote->footer("The newer files stay. 'vm-patch template promote' takes them again.\n\nExample:\n  vm-patch template demote -d debian-12 --yes");

  auto promoted = make();
  auto* promote = add(*parent, chosen, "promote", "Give a template the version again that demote took away", promoted, promote_template);
  add_domain(promote, *promoted, "the template")->required();
  promote->add_flag("-y,--yes", promoted->yes, "do not ask");

  auto pruned = make();
  auto* prune = add(*parent, chosen, "prune", "Remove files of versions that nobody needs", pruned, prune_templates);
  add_domain(prune, *pruned, "only this one; repeatable");
  prune->add_option("--keep", pruned->keep, "versions to keep beside the current one")->check(CLI::Range(0, 1000))->type_name("N")->capture_default_str();
  prune->add_flag("-y,--yes", pruned->yes, "remove; else it is only told what would be");
  prune->footer("Only files that vm-patch made, that no machine has, that no machine or image stands on, and that are older than the versions to keep. Looked at are the machines of this computer's libvirt, the "
                "volumes of its pools and the folders of the images: clones elsewhere, or of other hosts, it does not know. What there was "
                "before vm-patch published anything is never removed.\n\nExample:\n  vm-patch template prune --keep 2 --yes");
}

}  // namespace vmpatch::cli
