#include "cli/common/output.hpp"
#include "cli/common/output_target.hpp"
#include "cli/recipe/recipe_verbs.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/recipe/deb.hpp"

namespace vmpatch::cli {

Result<recipe::Recipe> load_unverified_recipe(const fs::path& file, std::string& text) {
  VMPATCH_TRY(text, read_file(file, 8U << 20U));
  return recipe::parse_unverified_recipe(text, file.string());
}

Result<int> new_recipe(Context&, const NewOptions& options) {
  if (options.output.empty()) {
    print_text(recipe_template());
    return 0;
  }
  std::error_code error;
  if (fs::exists(fs::symlink_status(options.output, error)))
    return fail(Errc::refused, "recipe new: {} exists already and is not overwritten", options.output.string());
  VMPATCH_CHECK(create_file(options.output, recipe_template(), 0644));
  return 0;
}

Result<int> lint_recipe(Context& context, const FileOptions& options) {
  std::string text;
  VMPATCH_TRY(const auto recipe, load_unverified_recipe(options.file, text));
  if (recipe.expires && context.clock.now() >= *recipe.expires)
    context.log.warn("{}: expired on {}; a bundle of it would not be accepted", options.file.string(),
                     format_time(*recipe.expires));
  if (context.options.json) {
    auto json = recipe_json(recipe);
    json["valid"] = true;
    print_json(json);
  } else if (!context.options.quiet) {
    print_text(fmt::format("{}: valid: {} version {}, {} steps, {} payloads, {} checks\n", options.file.string(),
                           recipe.id, recipe.version, recipe.steps.size(), recipe.payloads.size(),
                           recipe.verify.size()));
  }
  return 0;
}

Result<int> recipe_from_debs(Context& context, const FromPackagesVerbOptions& options) {
  recipe::FromPackagesOptions make;
  make.id = options.id;
  make.title = options.title;
  make.os_id = options.os_id;
  make.version_id = options.release;
  make.now = context.clock.now();
  VMPATCH_TRY(const auto recipe, recipe::recipe_from_packages(options.debs, make));
  const auto text = recipe::write_recipe(recipe);
  // What no reader of ours would accept must not leave this verb (an --os of blanks, say).
  const auto checked =
      recipe::parse_unverified_recipe(text, options.output.empty() ? "recipe" : options.output.string());
  if (!checked) return make_error(Errc::usage, checked.error().message);
  if (!options.output.empty()) VMPATCH_CHECK(write_output(options.output, text));
  if (context.options.json) {
    auto json = recipe_json(recipe);
    json["output"] = options.output.empty() ? Json() : Json(options.output.string());
    print_json(json);
  } else if (options.output.empty()) {
    print_text(text);
  }
  if (!options.output.empty() && !context.options.quiet && !context.options.json)
    print_text(fmt::format("{}: {} packages, {} CVE ids, severity {}\n", options.output.string(),
                           recipe.payloads.size(), recipe.fixes.size(), recipe::to_string(recipe.severity)));
  return 0;
}

}  // namespace vmpatch::cli
