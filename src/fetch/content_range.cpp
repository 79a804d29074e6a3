#include "fetch/content_range.hpp"

#include <charconv>

namespace vmpatch::fetch {
namespace {

/// Takes the number that `text` starts with, and `after` behind it.
bool take(std::string_view& text, std::uint64_t& number, std::string_view after) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.starts_with(after)) return false;
  text.remove_prefix(after.size());
  return true;
}

}  // namespace

std::optional<ContentRange> parse_content_range(std::string_view text) {
  constexpr std::string_view unit = "bytes ";
  if (!text.starts_with(unit)) return std::nullopt;
  text.remove_prefix(unit.size());
  ContentRange range;
  if (!take(text, range.first, "-") || !take(text, range.last, "/") || range.last < range.first) return std::nullopt;
  if (text == "*") return range;
  if (!take(text, range.total, "") || !text.empty() || range.total <= range.last) return std::nullopt;
  return range;
}

}  // namespace vmpatch::fetch
