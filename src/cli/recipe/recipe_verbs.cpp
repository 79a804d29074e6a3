#include "cli/recipe/recipe_verbs.hpp"

#include <CLI/CLI.hpp>

#include "cli/verbs.hpp"

namespace vmpatch::cli {
namespace {

/// Runs `run(context, options)` when the subcommand was chosen.
template <class Options>
void on_chosen(CLI::App* verb, Chosen& chosen, std::shared_ptr<Options> options,
               Result<int> (*run)(Context&, const Options&)) {
  verb->callback(
      [&chosen, options, run] { chosen.action = [options, run](Context& context) { return run(context, *options); }; });
}

void add_new(CLI::App& recipe, Chosen& chosen) {
  auto options = std::make_shared<NewOptions>();
  auto* verb = recipe.add_subcommand("new", "Print a recipe to start from, with comments");
  verb->add_option("-o,--output", options->output, "Write to this file, which must not exist");
  verb->footer("Example:\n  vm-patch recipe new -o motd.yaml");
  on_chosen(verb, chosen, options, new_recipe);
}

void add_lint(CLI::App& recipe, Chosen& chosen) {
  auto options = std::make_shared<FileOptions>();
  auto* verb = recipe.add_subcommand("lint", "Check a recipe before it is signed");
  verb->add_option("FILE", options->file, "The recipe, YAML")->required();
  verb->footer(
      "Errors name line and column. Exit code 5 when the recipe would not be accepted.\n\n"
      "Example:\n  vm-patch recipe lint motd.yaml");
  on_chosen(verb, chosen, options, lint_recipe);
}

void add_from_packages(CLI::App& recipe, Chosen& chosen) {
  auto options = std::make_shared<FromPackagesVerbOptions>();
  auto* verb = recipe.add_subcommand("from-packages", "Write a recipe that installs these .deb files");
  verb->add_option("DEB", options->debs, "Package files, of one architecture")->required();
  verb->add_option("--id", options->id, "The recipe's id, as debian-12-openssl")->required();
  verb->add_option("--title", options->title, "One line for people");
  verb->add_option("--os", options->os_id, "ID of os-release of the guests (default: debian)");
  verb->add_option("--release", options->release, "VERSION_ID of os-release of the guests (default: 12)");
  verb->add_option("-o,--output", options->output, "Write to this file; default: standard output");
  verb->footer(
      "It applies where one of the packages is installed in an older version, and verifies the new ones afterwards.\n"
      "fixes are the CVE ids in the newest changelog entry inside each package. Read the result before you sign it.\n\n"
      "Example:\n  vm-patch recipe from-packages *.deb --id debian-12-openssl -o openssl.yaml");
  on_chosen(verb, chosen, options, recipe_from_debs);
}

void add_bundle(CLI::App& recipe, Chosen& chosen) {
  auto options = std::make_shared<BundleOptions>();
  auto* verb = recipe.add_subcommand("bundle", "Sign a recipe and pack it with its payloads");
  verb->add_option("RECIPE", options->recipe, "The recipe, YAML")->required();
  verb->add_option("--payloads", options->payloads, "Folders that hold the payloads (default: the recipe's own)");
  verb->add_option("--key", options->key, "Private key of the author")->required();
  verb->add_option("-o,--output", options->output, "The bundle; default: RECIPE with .vmpatch as its ending");
  verb->footer(
      "Example:\n  vm-patch recipe bundle openssl.yaml --payloads debs/ --key ~/keys/author -o openssl.vmpatch");
  on_chosen(verb, chosen, options, bundle_recipe);
}

void add_sign(CLI::App& recipe, Chosen& chosen) {
  auto options = std::make_shared<SignOptions>();
  auto* verb = recipe.add_subcommand("sign", "Add a signature to a bundle, as its approver does");
  verb->add_option("BUNDLE", options->bundle, "The bundle; changed in place")->required();
  verb->add_option("--key", options->key, "Private key to sign with")->required();
  verb->footer(
      "Read it first: vm-patch recipe show BUNDLE.\n\n"
      "Example:\n  vm-patch recipe sign openssl.vmpatch --key ~/keys/approver");
  on_chosen(verb, chosen, options, sign_recipe);
}

void add_readers(CLI::App& recipe, Chosen& chosen) {
  auto verify_options = std::make_shared<FileOptions>();
  auto* verify = recipe.add_subcommand("verify", "Check a bundle: signatures, expiry, every payload");
  verify->add_option("BUNDLE", verify_options->file, "The bundle")->required();
  verify->footer(
      "Whose signatures count is in the trust file (--trust-file). Exit code 5 when it is not trusted. From then on older versions are "
      "refused here.\n\n"
      "Example:\n  vm-patch recipe verify openssl.vmpatch");
  on_chosen(verify, chosen, verify_options, verify_recipe);

  auto show_options = std::make_shared<FileOptions>();
  auto* show = recipe.add_subcommand("show", "Say what a recipe would do, and whether it is verified");
  show->add_option("FILE", show_options->file, "A bundle, or a recipe (*.yaml)")->required();
  show->footer("Example:\n  vm-patch recipe show openssl.vmpatch");
  on_chosen(show, chosen, show_options, show_recipe);
}

}  // namespace

void add_recipe_verbs(CLI::App& app, Chosen& chosen) {
  auto* recipe = app.add_subcommand("recipe", "Write, sign and check recipes");
  recipe->require_subcommand(1);
  add_new(*recipe, chosen);
  add_lint(*recipe, chosen);
  add_from_packages(*recipe, chosen);
  add_bundle(*recipe, chosen);
  add_sign(*recipe, chosen);
  add_readers(*recipe, chosen);
}

}  // namespace vmpatch::cli
