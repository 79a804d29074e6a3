#include <algorithm>
#include <string>

#include "guest/version_orders.hpp"

namespace vmpatch::guest {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

template <class Belongs>
std::string_view take(std::string_view& text, Belongs belongs) {
  const auto end = std::find_if_not(text.begin(), text.end(), belongs);
  const std::string_view taken = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(taken.size());
  return taken;
}

/// rpmvercmp as pacman has it (rpm 4.8.1): no tilde, no caret, and a separator of another length counts.
int compare_segments(std::string_view a, std::string_view b) {
  const auto is_separator = [](char c) { return !is_digit(c) && !is_letter(c); };
  while (!a.empty() && !b.empty()) {
    const std::size_t gap_a = take(a, is_separator).size();
    const std::size_t gap_b = take(b, is_separator).size();
    if (a.empty() || b.empty()) break;
    if (gap_a != gap_b) return gap_a < gap_b ? -1 : 1;
    const bool number = is_digit(a.front());
    if (number != is_digit(b.front())) return number ? 1 : -1;
    const std::string_view part_a = number ? take_digits(a) : take(a, is_letter);
    const std::string_view part_b = number ? take_digits(b) : take(b, is_letter);
    const int order = number ? compare_numbers(part_a, part_b) : part_a.compare(part_b);
    if (order != 0) return order;
  }
  if (a.empty() && b.empty()) return 0;
  // What is left over makes a version newer, unless it begins with a letter: 1.0rc1 < 1.0, but 1.0.1 > 1.0.
  const std::string_view rest = a.empty() ? b : a;
  const bool newer = !is_letter(rest.front());
  return newer == b.empty() ? 1 : -1;
}

struct Version {
  std::string_view epoch = "0", version, release;
  bool has_release = false;
};

Version parse(std::string_view text) {
  Version parsed;
  std::string_view rest = text;
  const std::string_view digits = take_digits(rest);
  if (rest.starts_with(':')) {
    parsed.epoch = digits.empty() ? "0" : digits;
    text = rest.substr(1);
  }
  const auto dash = text.rfind('-');
  parsed.version = text.substr(0, dash);
  parsed.has_release = dash != std::string_view::npos;
  if (parsed.has_release) parsed.release = text.substr(dash + 1);
  return parsed;
}

}  // namespace

int compare_alpm_versions(std::string_view a, std::string_view b) {
  const Version first = parse(a);
  const Version second = parse(b);
  if (const int order = compare_numbers(first.epoch, second.epoch); order != 0) return order;
  if (const int order = compare_segments(first.version, second.version); order != 0) return order;
  return first.has_release && second.has_release ? compare_segments(first.release, second.release) : 0;
}

}  // namespace vmpatch::guest
