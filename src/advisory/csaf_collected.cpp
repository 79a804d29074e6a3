#include "advisory/csaf_collected.hpp"

#include <algorithm>

namespace vmpatch::advisory {
namespace {

constexpr std::size_t most_versions = 10'000;
constexpr std::size_t most_fixed = 100;  // one for each minor release, and some

bool is_given(const VersionRange& range) { return !range.events.empty() || !range.versions.empty(); }

}  // namespace

void CsafCollected::append(VersionRange& all, const VersionRange& more) {
  if (all.versions.size() + all.events.size() >= most_versions) {
    is_cut_off = true;
    return;
  }
  const auto number = static_cast<std::uint16_t>(all.events.empty() ? 0 : all.events.back().range + 1);
  for (Event event : more.events) {
    event.range = number;
    all.events.push_back(event);
  }
  all.versions.insert(all.versions.end(), more.versions.begin(), more.versions.end());
}

void CsafCollected::add_fixed(const std::optional<VersionRange>& range) {
  if (range && range->events.empty()) {
    fixed.insert(fixed.end(), range->versions.begin(), range->versions.end());
  } else if (range && range->events.size() == 1 && range->events[0].kind == Event::Kind::introduced) {
    fixed.push_back(range->events[0].version);
  } else {
    fixed_without_version = true;
  }
}

/// From a first affected version (or 0) to the last one (or a fix). As many firsts as lasts are pairs, of other numbers each last
/// one bounds a range of its own: rather too wide than too narrow.
void CsafCollected::append_bounded(TextPool& texts) {
  if (first.empty() && last.empty()) return;
  const Text zero = texts.intern("0");
  const bool pairs = first.size() == last.size();
  const std::size_t ranges = pairs || last.empty() ? 1 : last.size();
  if (ranges * (first.size() + last.size() + fixed.size() + 1) > most_versions) {
    is_cut_off = true;
    return;
  }
  for (std::size_t i = 0; i < ranges; ++i) {
    VersionRange range;
    for (const auto version : first) range.events.push_back({version, 0, Event::Kind::introduced});
    if (first.empty()) range.events.push_back({zero, 0, Event::Kind::introduced});
    for (std::size_t j = 0; j < last.size(); ++j) {
      if (pairs || i == j) range.events.push_back({last[j], 0, Event::Kind::last_affected});
    }
    for (const auto version : fixed) range.events.push_back({version, 0, Event::Kind::fixed});
    append(affected, range);
  }
}

void CsafCollected::finish(TextPool& texts) {
  std::sort(fixed.begin(), fixed.end());
  fixed.erase(std::unique(fixed.begin(), fixed.end()), fixed.end());
  is_fixed = !fixed.empty();
  append_bounded(texts);
  if (fixed.size() > most_fixed) {
    is_cut_off = true;
    fixed.clear();
  }
  investigating = investigating || is_cut_off;
}

bool CsafCollected::says_nothing() const {
  return !every_affected && !every_not_affected && fixed.empty() && !fixed_without_version && !is_given(affected) && !is_given(not_affected);
}

}  // namespace vmpatch::advisory
