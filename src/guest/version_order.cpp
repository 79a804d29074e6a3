#include "guest/version_order.hpp"

#include <string>

namespace vmpatch::guest {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Takes the characters that `wanted` accepts from the front.
template <class Wanted>
std::string_view take(std::string_view& text, const Wanted& wanted) {
  std::size_t end = 0;
  while (end < text.size() && wanted(text[end])) ++end;
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end);
  return taken;
}

int sign(int order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }

int compare_numbers(std::string_view a, std::string_view b) {
  while (a.starts_with('0')) a.remove_prefix(1);
  while (b.starts_with('0')) b.remove_prefix(1);
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return sign(a.compare(b));
}

}  // namespace

int compare_boot_versions(std::string_view a, std::string_view b) {
  const auto ignored = [](char c) { return !is_digit(c) && !is_letter(c) && std::string_view("-.~^").find(c) == std::string_view::npos; };
  for (;;) {
    take(a, ignored);
    take(b, ignored);
    // A text that goes on with one of these is older than one that goes on otherwise; '~' even than one that ends.
    const auto differ = [&](char mark) { return a.starts_with(mark) != b.starts_with(mark); };
    const auto both = [&](char mark) { return a.starts_with(mark) && b.starts_with(mark); };
    if (differ('~')) return a.starts_with('~') ? -1 : 1;
    if (!both('~') && (a.empty() || b.empty())) return a.empty() && b.empty() ? 0 : a.empty() ? -1 : 1;
    bool skipped = false;
    for (const char mark : {'~', '-', '^', '.'}) {
      if (differ(mark)) return a.starts_with(mark) ? -1 : 1;
      if (!both(mark)) continue;
      a.remove_prefix(1);
      b.remove_prefix(1);
      skipped = true;
      break;
    }
    if (skipped) continue;
    if (is_digit(a.front()) != is_digit(b.front())) return is_digit(a.front()) ? 1 : -1;
    const int order = is_digit(a.front()) ? compare_numbers(take(a, is_digit), take(b, is_digit))
                                          : sign(take(a, is_letter).compare(take(b, is_letter)));
    if (order != 0) return order;
  }
}

}  // namespace vmpatch::guest
