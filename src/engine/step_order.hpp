#pragma once
// What a guest is before a run, and after it, answers for a step only as far as no other step of the recipe changes the same.

#include <functional>

#include "vmpatch/recipe/bundle.hpp"
#include "vmpatch/recipe/recipe.hpp"

namespace vmpatch::engine {

/// Absolute paths without links: the folder itself, or something below it.
[[nodiscard]] bool is_at_or_below(std::string_view path, std::string_view folder);

/// A later step writes or removes the same file, or edits it: it is that step's to answer.
[[nodiscard]] bool is_written_later(const recipe::Recipe& recipe, const recipe::step::File& step);
[[nodiscard]] bool is_edited_later(const recipe::Recipe& recipe, const recipe::step::File& step);

/// A step before `step`, which is one of the recipe's, takes away what is at `path`, or what leads there.
[[nodiscard]] bool is_removed_before(const recipe::Recipe& recipe, const void* step, std::string_view path);

/// A member of the archive comes to that path, or below it.
using IsPacked = std::function<Result<bool>(const recipe::step::Unarchive&, const std::string& path)>;
/// Both outlive the value; archives are read once.
IsPacked packed_in(const recipe::Recipe& recipe, const recipe::PayloadStore& payloads);
/// A later step puts something at the step's path again, or below it.
Result<bool> is_made_again(const recipe::Recipe& recipe, const recipe::step::File& step, const IsPacked& is_packed);

/// No other step can change what starts the service: none before it that can do anything, and none that masks it.
[[nodiscard]] bool decides_itself(const recipe::Recipe& recipe, const recipe::step::Service& step);

}  // namespace vmpatch::engine
