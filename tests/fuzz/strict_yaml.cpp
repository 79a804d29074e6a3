// Any text as a document, a recipe and a trust file's values: a node or an error, and what is a recipe reads back.
#include "vmpatch/recipe/strict_yaml.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vmpatch/recipe/recipe.hpp"

namespace {

void visit(const vmpatch::recipe::YamlNode& node) {
  using Kind = vmpatch::recipe::YamlNode::Kind;
  if (node.where().empty()) std::abort();
  static_cast<void>(node.integer(-5, 5).has_value());
  static_cast<void>(node.time().has_value());
  static_cast<void>(node.duration().has_value());
  if (const auto items = node.items(); items)
    for (const auto& item : *items) visit(item);
  if (node.kind() != Kind::mapping) return;
  auto map = vmpatch::recipe::YamlMapping::of(node);
  if (!map) std::abort();
  for (const auto& [key, value] : map->entries()) visit(value);
  if (!map->finish()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vmpatch;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto root = recipe::parse_yaml(text, "input", Errc::usage); root) visit(*root);
  const auto recipe = recipe::parse_unverified_recipe(text, "input");
  if (!recipe) {
    if (recipe.error().code != Errc::untrusted || !recipe.error().message.starts_with("input:")) std::abort();
    return 0;
  }
  const auto written = recipe::write_recipe(*recipe);
  const auto again = recipe::parse_unverified_recipe(written, "written");
  if (!again || recipe::write_recipe(*again) != written) std::abort();
  return 0;
}
