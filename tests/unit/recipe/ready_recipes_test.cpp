#include <gtest/gtest.h>

#include <filesystem>

#include "vmpatch/core/file.hpp"
#include "vmpatch/recipe/recipe.hpp"

namespace vmpatch::recipe {
namespace {

TEST(ReadyRecipes, each_one_is_valid_and_lives_in_the_folder_of_its_id) {
  unsigned count = 0;
  for (const auto& folder : std::filesystem::directory_iterator(fs::path(VMPATCH_SOURCE_DIR) / "recipes")) {
    if (!folder.is_directory() || folder.path().filename() == "repositories") continue;  // these are for the configuration: policy
    const auto path = folder.path() / "recipe.yaml";
    const auto text = read_file(path);
    ASSERT_TRUE(text) << text.error().message;
    const auto recipe = parse_unverified_recipe(*text, path.string());
    ASSERT_TRUE(recipe) << recipe.error().message;
    EXPECT_EQ(recipe->id, folder.path().filename().string());
    ++count;
  }
  EXPECT_GE(count, 2U);
}

}  // namespace
}  // namespace vmpatch::recipe
