#include "vmpatch/recipe/bundle.hpp"

#include <tuple>

#include "cli/common/output.hpp"
#include "cli/recipe/recipe_verbs.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/fleet/ledger.hpp"
#include "vmpatch/recipe/trust_file.hpp"

namespace vmpatch::cli {
namespace {

/// From now on this host has seen the version: whoever holds an older one back cannot bring it any more.
Result<void> note_seen(Context& context, const recipe::TrustedRecipe& recipe) {
  const auto& [id, version] = std::tie(recipe.get().id, recipe.get().version);
  VMPATCH_TRY(const auto policy, policy::load_policy(context.paths.config));
  VMPATCH_TRY(const auto store, fleet::open_audited(context, policy));
  VMPATCH_CHECK(store->note_recipe(id, version, recipe.digest().hex()));
  VMPATCH_TRY(const auto seen, store->seen_recipe(id));
  if (version < seen.version) context.log.warn("recipe {} version {} was used here: version {} is refused by plan, verify and apply", id, seen.version, version);
  return {};
}

}  // namespace

Result<int> bundle_recipe(Context& context, const BundleOptions& options) {
  std::string text;
  VMPATCH_TRY(const auto recipe, load_unverified_recipe(options.recipe, text));
  if (recipe.expires && context.clock.now() >= *recipe.expires)
    return fail(Errc::refused, "{}: expired on {}; set a later date and a higher version", options.recipe.string(),
                format_time(*recipe.expires));
  VMPATCH_TRY(const auto key, trust::PrivateKey::load(options.key));
  trust::Envelope envelope{std::string(trust::recipe_payload_type), text, {}};
  VMPATCH_CHECK(trust::add_signature(envelope, key));
  auto dirs = options.payloads;
  if (dirs.empty()) dirs.push_back(options.recipe.has_parent_path() ? options.recipe.parent_path() : fs::path("."));
  auto output = options.output;
  if (output.empty()) output = fs::path(options.recipe).replace_extension(".vmpatch");
  VMPATCH_CHECK(recipe::write_bundle(output, envelope, recipe, dirs));
  if (context.options.json) {
    auto json = recipe_json(recipe);
    json["sha256"] = sha256(text).hex();
    json["bundle"] = output.string();
    json["signed_by"] = Json::array({envelope.signatures[0].key_id});
    print_json(json);
  } else if (!context.options.quiet) {
    print_text(fmt::format("{}: {} version {}, {} payloads, signed by {}\n", output.string(), recipe.id, recipe.version,
                           recipe.payloads.size(), envelope.signatures[0].key_id.substr(0, 16)));
  }
  return 0;
}

Result<int> sign_recipe(Context& context, const SignOptions& options) {
  VMPATCH_TRY(const auto key, trust::PrivateKey::load(options.key));
  VMPATCH_CHECK(recipe::sign_bundle(options.bundle, key));
  VMPATCH_TRY(const auto envelope, recipe::read_bundle_envelope(options.bundle));
  const auto digest = sha256(envelope.payload).hex();
  if (context.options.json) {
    Json json;
    json["schema"] = "vm-patch/recipe-result/v1";
    json["bundle"] = options.bundle.string();
    json["sha256"] = digest;
    json["signed_by"] = Json::array();
    for (const auto& signature : envelope.signatures) json["signed_by"].push_back(signature.key_id);
    print_json(json);
  } else if (!context.options.quiet) {
    print_text(fmt::format("{}: {} signatures now; signed recipe sha256 {} with key {}\n", options.bundle.string(),
                           envelope.signatures.size(), digest, envelope.signatures.back().key_id.substr(0, 16)));
  }
  return 0;
}

Result<int> verify_recipe(Context& context, const FileOptions& options) {
  VMPATCH_TRY(const auto keyring, recipe::load_trust_file(context.paths.trust));
  VMPATCH_TRY(const auto trusted, recipe::verify_bundle(options.file, keyring, context.clock.now()));
  const auto& recipe = trusted.get();
  // Who has no ledger here, and may make none, patches nothing here.
  std::error_code error;
  const auto noted = note_seen(context, trusted);
  if (!noted && fs::exists(context.paths.ledger(), error)) {
    context.log.warn("version {} of {} does not count as seen here: {}", recipe.version, recipe.id, noted.error().message);
  }
  if (context.options.json) {
    auto json = recipe_json(recipe);
    json["verified"] = true;
    json["sha256"] = trusted.digest().hex();
    json["signers"] = signers_json(trusted.signers());
    print_json(json);
    return 0;
  }
  if (context.options.quiet) return 0;
  std::string signers;
  for (const auto& signer : trusted.signers())
    signers += fmt::format("{}{} ({} {})", signers.empty() ? "" : ", ", escape_untrusted(signer.name), signer.role,
                           signer.key_id.substr(0, 16));
  print_text(fmt::format("{}: good: {} version {}, {} payloads, signed by {}\n", options.file.string(), recipe.id,
                         recipe.version, recipe.payloads.size(), signers));
  return 0;
}

}  // namespace vmpatch::cli
