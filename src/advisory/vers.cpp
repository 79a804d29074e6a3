#include "advisory/vers.hpp"

#include "advisory/evaluate.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {

std::optional<VersionRange> parse_vers(std::string_view text, TextPool& texts) {
  if (text.size() > 1024 || !text.starts_with("vers:")) return std::nullopt;
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  VersionRange range;
  const auto add = [&](Event::Kind kind, std::string_view version) { range.events.push_back({texts.intern(version), 0, kind}); };
  const auto open = [&] {
    if (range.events.empty()) add(Event::Kind::introduced, "0");
  };
  for (std::string_view part : split(text.substr(slash + 1), '|')) {
    part = trim(part);
    const auto start = part.find_first_not_of("<>=!");
    if (part == "*") {
      open();
      continue;
    }
    if (start == std::string_view::npos || part.find('%') != std::string_view::npos) return std::nullopt;
    const std::string_view sign = part.substr(0, start);
    const std::string_view version = trim(part.substr(start));
    if (sign.empty() || sign == "=") {
      range.versions.push_back(texts.intern(without_zero_epoch(version)));
    } else if (sign == ">=") {
      add(Event::Kind::introduced, version);
    } else if (sign == "<") {
      open();
      add(Event::Kind::fixed, version);
    } else if (sign == "<=") {
      open();
      add(Event::Kind::last_affected, version);
    } else {
      return std::nullopt;
    }
  }
  if (range.events.empty() && range.versions.empty()) return std::nullopt;
  return range;
}

}  // namespace vmpatch::advisory
