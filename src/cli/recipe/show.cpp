#include "cli/common/output.hpp"
#include "cli/recipe/recipe_verbs.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/recipe/bundle.hpp"
#include "vmpatch/recipe/trust_file.hpp"

namespace vmpatch::cli {
namespace {

/// A recipe and what is known of its origin.
struct Shown {
  recipe::Recipe recipe;
  std::vector<trust::Signer> signers;
  std::string unverified_because;  ///< empty = verified
};

Result<Shown> load_shown(const Context& context, const fs::path& file) {
  Shown shown;
  const auto ending = file.extension();
  if (ending == ".yaml" || ending == ".yml") {
    std::string text;
    VMPATCH_TRY(shown.recipe, load_unverified_recipe(file, text));
    shown.unverified_because = "a plain file carries no signature";
    return shown;
  }
  auto keyring = recipe::load_trust_file(context.paths.trust);
  auto trusted = keyring ? recipe::verify_bundle(file, *keyring, context.clock.now())
                         : Result<recipe::TrustedRecipe>(keyring.error());
  if (trusted) {
    shown.recipe = trusted->get();
    shown.signers = trusted->signers();
    return shown;
  }
  VMPATCH_TRY(const auto envelope, recipe::read_bundle_envelope(file));
  VMPATCH_TRY(shown.recipe, recipe::parse_unverified_recipe(envelope.payload, file.string()));
  shown.unverified_because = trusted.error().message;
  return shown;
}

std::string targets_of(const recipe::AppliesTo& target) {
  auto text = escape_untrusted(target.os_id);
  if (!target.version_id.empty()) text += fmt::format(" {}", fmt::join(target.version_id, " or "));
  if (!target.arch.empty()) text += fmt::format(" on {}", fmt::join(target.arch, " or "));
  std::string packages;
  for (const auto& [name, bound] : target.packages)
    packages += fmt::format("{}{} {}", packages.empty() ? "" : ", ", name, bound.text());
  return packages.empty() ? text : text + " with " + packages;
}

std::string text_of(const Shown& shown) {
  const auto& recipe = shown.recipe;
  std::string text;
  if (shown.unverified_because.empty()) {
    text = "VERIFIED: signed by";
    for (const auto& signer : shown.signers)
      text += fmt::format(" {} ({} {})", escape_untrusted(signer.name), signer.role, signer.key_id.substr(0, 16));
    text += "\n\n";
  } else {
    text = fmt::format("UNVERIFIED: {}\n\n", shown.unverified_because);
  }
  text += fmt::format("recipe    {} version {}\ntitle     {}\nissued    {}\n", recipe.id, recipe.version,
                      escape_untrusted(recipe.title), format_time(recipe.issued).substr(0, 10));
  if (recipe.expires) text += fmt::format("expires   {}\n", format_time(*recipe.expires).substr(0, 10));
  text += fmt::format("severity  {}\n", recipe::to_string(recipe.severity));
  if (!recipe.fixes.empty()) text += fmt::format("fixes     {}\n", fmt::join(recipe.fixes, ", "));
  text += fmt::format("applies   {}\n", targets_of(recipe.applies_to));
  if (!recipe.payloads.empty()) text += "\npayloads\n";
  for (const auto& payload : recipe.payloads)
    text += fmt::format("  {}  {}  sha256 {}\n", payload.name, format_size(payload.size), payload.sha256.hex());
  text += "\nsteps\n";
  unsigned number = 0;
  for (const auto& step : recipe.steps) text += fmt::format("  {}. {}\n", ++number, recipe::describe(step));
  if (!recipe.verify.empty()) text += "\nholds afterwards\n";
  for (const auto& check : recipe.verify) text += fmt::format("  - {}\n", recipe::describe(check));
  return text;
}

}  // namespace

Json recipe_json(const recipe::Recipe& recipe) {
  Json json;
  json["schema"] = "vm-patch/recipe-result/v1";
  json["id"] = recipe.id;
  json["version"] = recipe.version;
  json["title"] = recipe.title;
  json["issued"] = format_time(recipe.issued);
  json["expires"] = recipe.expires ? Json(format_time(*recipe.expires)) : Json();
  json["severity"] = recipe::to_string(recipe.severity);
  json["fixes"] = recipe.fixes;
  auto& target = json["applies_to"];
  target["os_id"] = recipe.applies_to.os_id;
  target["version_id"] = recipe.applies_to.version_id;
  target["arch"] = recipe.applies_to.arch;
  target["packages"] = Json::object();
  for (const auto& [name, bound] : recipe.applies_to.packages) target["packages"][name] = bound.text();
  json["payloads"] = Json::array();
  for (const auto& payload : recipe.payloads) {
    Json entry;
    entry["name"] = payload.name;
    entry["sha256"] = payload.sha256.hex();
    entry["size"] = payload.size;
    json["payloads"].push_back(std::move(entry));
  }
  json["steps"] = Json::array();
  for (const auto& step : recipe.steps) {
    Json entry;
    entry["kind"] = recipe::kind_of(step);
    entry["description"] = recipe::describe(step);
    json["steps"].push_back(std::move(entry));
  }
  json["verify"] = Json::array();
  for (const auto& check : recipe.verify) json["verify"].push_back(recipe::describe(check));
  return json;
}

Json signers_json(const std::vector<trust::Signer>& signers) {
  auto json = Json::array();
  for (const auto& signer : signers) {
    Json entry;
    entry["key_id"] = signer.key_id;
    entry["role"] = signer.role;
    entry["name"] = signer.name;
    json.push_back(std::move(entry));
  }
  return json;
}

Result<int> show_recipe(Context& context, const FileOptions& options) {
  VMPATCH_TRY(const Shown shown, load_shown(context, options.file));
  if (!context.options.json) {
    print_text(text_of(shown));
    return 0;
  }
  auto json = recipe_json(shown.recipe);
  json["verified"] = shown.unverified_because.empty();
  json["unverified_because"] = shown.unverified_because.empty() ? Json() : Json(shown.unverified_because);
  json["signers"] = signers_json(shown.signers);
  print_json(json);
  return 0;
}

}  // namespace vmpatch::cli
