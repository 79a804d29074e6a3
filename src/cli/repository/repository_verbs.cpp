#include "cli/repository/repository_verbs.hpp"

#include <CLI/CLI.hpp>

#include "cli/verbs.hpp"

namespace vmpatch::cli {
namespace {

void add_list(CLI::App& repository, Chosen& chosen) {
  auto* verb = repository.add_subcommand("list", "Show the configured repositories, and whether their keys are there");
  verb->footer("Example:\n  vm-patch repository list --json");
  verb->callback([&chosen] { chosen.action = list_repositories; });
}

void add_import(CLI::App& repository, Chosen& chosen) {
  auto options = std::make_shared<ImportOptions>();
  auto* verb = repository.add_subcommand("import", "Write what this host's own apt uses as entries of the configuration");
  verb->add_option("--os", options->os_id, "ID of os-release of the guests that they are for (default: by code name, else this host's)");
  verb->add_option("--release,--version", options->release, "VERSION_ID of os-release of these guests; without it --os means all")->needs("--os");
  verb->add_option("--signed-by", options->signed_by, "File with the OpenPGP keys of the sources for which apt names none (repeatable)");
  verb->add_option("-o,--output", options->output, "Write to this file; default: standard output");
  verb->footer(
      "Asks `apt-get indextargets` and the sources files; fetches nothing, and writes no password. What cannot be carried over is left out with "
      "a warning that says why. Read the result, and paste it into vm-patch.yaml.\n\n"
      "Example:\n  vm-patch repository import -o repositories.yaml");
  verb->callback([&chosen, options] { chosen.action = [options](Context& context) { return import_repositories(context, *options); }; });
}

void add_states(CLI::App& repository, Chosen& chosen, const char* name, const char* what, const char* more,
                Result<int> (*run)(Context&, const NamesOptions&)) {
  auto options = std::make_shared<NamesOptions>();
  auto* verb = repository.add_subcommand(name, what);
  verb->add_option("NAME", options->names, "Repositories of the configuration; default: all");
  verb->footer(more);
  verb->callback([&chosen, options, run] { chosen.action = [options, run](Context& context) { return run(context, *options); }; });
}

void add_forget(CLI::App& repository, Chosen& chosen) {
  auto name = std::make_shared<std::string>();
  auto* verb = repository.add_subcommand("forget", "Forget what was seen of a repository, so that another archive or an older state is accepted");
  verb->add_option("NAME", *name, "Its name in the configuration")->required();
  verb->footer("Signatures and expiry count all the same. Only for a repository that was changed on purpose.\n\nExample:\n  vm-patch repository forget debian");
  verb->callback([&chosen, name] { chosen.action = [name](Context& context) { return forget_repository(context, *name); }; });
}

}  // namespace

void add_repository_verbs(CLI::App& app, Chosen& chosen) {
  auto* repository = app.add_subcommand("repository", "Verified package repositories for guests");
  repository->require_subcommand(1);
  add_list(*repository, chosen);
  add_import(*repository, chosen);
  add_states(*repository, chosen, "refresh", "Fetch the lists of repositories, verified, and remember them",
             "A list that is unsigned, expired, older than one that was seen, or not what was signed is refused by name, and what was accepted before stays.\n\n"
             "Example:\n  vm-patch repository refresh", refresh_repositories);
  add_states(*repository, chosen, "show", "Show what was accepted of repositories: made, valid until, signed by",
             "Exit code 5 when something of it has expired.\n\nExample:\n  vm-patch repository show --json", show_repositories);
  add_forget(*repository, chosen);
}

}  // namespace vmpatch::cli
