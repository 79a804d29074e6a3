#pragma once
// What the recipe verbs do once their options are read.

#include <string>
#include <vector>

#include "vmpatch/cli/context.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json_fwd.hpp"
#include "vmpatch/core/result.hpp"
#include "vmpatch/recipe/recipe.hpp"

namespace vmpatch::cli {

struct NewOptions {
  fs::path output;  ///< empty = standard output
};
struct FileOptions {
  fs::path file;
};
struct BundleOptions {
  fs::path recipe;
  std::vector<fs::path> payloads;
  fs::path key;
  fs::path output;
};
struct SignOptions {
  fs::path bundle;
  fs::path key;
};
struct FromPackagesVerbOptions {
  std::vector<fs::path> debs;
  std::string id;
  std::string title;
  std::string os_id = "debian";
  std::string release = "12";
  fs::path output;  ///< empty = standard output
};

Result<int> new_recipe(Context& context, const NewOptions& options);
Result<int> lint_recipe(Context& context, const FileOptions& options);
Result<int> recipe_from_debs(Context& context, const FromPackagesVerbOptions& options);
Result<int> bundle_recipe(Context& context, const BundleOptions& options);
Result<int> sign_recipe(Context& context, const SignOptions& options);
Result<int> verify_recipe(Context& context, const FileOptions& options);
Result<int> show_recipe(Context& context, const FileOptions& options);

/// A valid recipe with every kind of step, explained.
std::string recipe_template();

/// id, version, title, …: what every result says of a recipe. schema vm-patch/recipe-result/v1.
Json recipe_json(const recipe::Recipe& recipe);
Json signers_json(const std::vector<trust::Signer>& signers);
Result<recipe::Recipe> load_unverified_recipe(const fs::path& file, std::string& text);

}  // namespace vmpatch::cli
