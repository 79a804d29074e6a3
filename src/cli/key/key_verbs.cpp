#include "cli/key/key_verbs.hpp"

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

void add_generate(CLI::App& key, Chosen& chosen) {
  auto options = std::make_shared<GenerateOptions>();
  auto* verb = key.add_subcommand("generate", "Make a new signing key");
  verb->add_option("PATH", options->path, "The private key goes here (mode 0600), the public key to PATH.pub")
      ->required();
  verb->add_option("--type", options->type, "ed25519 (default), ecdsa-p256 or rsa-pss");
  verb->footer(
      "Existing files are never overwritten. Keep the private key off the hypervisors: only who signs needs it.\n\n"
      "Example:\n  vm-patch key generate ~/keys/author");
  on_chosen(verb, chosen, options, generate_key);
}

void add_trust(CLI::App& key, Chosen& chosen) {
  auto options = std::make_shared<TrustOptions>();
  auto* verb = key.add_subcommand("trust", "Accept recipes that this key signs");
  verb->add_option("FILE", options->file, "A public key (FILE.pub) or an X.509 certificate, in PEM")->required();
  verb->add_option("--role", options->role, "author (wrote the recipe), approver (released it) or refresher (a host that makes recipes of verified repositories)")->required();
  verb->add_option("--name", options->name, "Whose key it is; default: the file's name");
  verb->add_option("--expires", options->expires, "No longer accepted from this day on, as 2027-12-31");
  verb->add_option("--authority", options->authorities, "CA certificate that a certificate must chain to (repeatable)");
  verb->add_option("--crl", options->crls, "Revocation list of an authority (repeatable)");
  verb->footer(
      "The key goes into the trust file (--trust-file). A key has one role.\n\n"
      "Example:\n  vm-patch key trust author.pub --role author --name 'release team'");
  on_chosen(verb, chosen, options, trust_key);
}

void add_revoke(CLI::App& key, Chosen& chosen) {
  auto options = std::make_shared<RevokeOptions>();
  auto* verb = key.add_subcommand("revoke", "Accept nothing any more that this key signed, old recipes included");
  verb->add_option("KEYID", options->prefix, "The key's id or its beginning, 8 digits or more (see: vm-patch key list)")
      ->required();
  verb->add_option("--reason", options->reason, "Shown to whoever meets a recipe of this key")->required();
  verb->footer("Example:\n  vm-patch key revoke 3f2a9c11 --reason 'laptop lost'");
  on_chosen(verb, chosen, options, revoke_key);
}

void add_threshold(CLI::App& key, Chosen& chosen) {
  auto options = std::make_shared<ThresholdOptions>();
  auto* verb = key.add_subcommand("threshold", "Say how many different keys of a role must sign a recipe");
  verb->add_option("ROLE", options->role, "author or approver")->required();
  verb->add_option("N", options->count, "Number of signatures; 0 = none of this role (not for author)")->required();
  verb->footer("Example (four eyes):\n  vm-patch key threshold approver 1");
  on_chosen(verb, chosen, options, set_threshold);
}

}  // namespace

void add_key_verbs(CLI::App& app, Chosen& chosen) {
  auto* key = app.add_subcommand("key", "Signing keys, and whose recipes are trusted");
  key->require_subcommand(1);
  add_generate(*key, chosen);
  auto* list = key->add_subcommand("list", "Show the trusted keys and the signatures that a recipe needs");
  list->footer("Example:\n  vm-patch key list --json");
  list->callback([&chosen] { chosen.action = list_keys; });
  add_trust(*key, chosen);
  add_revoke(*key, chosen);
  add_threshold(*key, chosen);
}

}  // namespace vmpatch::cli
