#include "advisory/backport.hpp"

#include <algorithm>
#include <charconv>

#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

constexpr int development = 1'000'000;
constexpr int unnamed = development - 1;  // a code name that has no number here yet

/// Later releases have higher ranks.
int rank_of(const std::string& release) {
  if (release == "sid") return development;
  int number = 0;
  const auto [end, error] = std::from_chars(release.data(), release.data() + release.size(), number);
  return error == std::errc() && end == release.data() + release.size() && number > 0 && number < unnamed ? number : unnamed;
}

std::string_view upstream_of(std::string_view version) { return version.substr(0, version.rfind('-')); }

/// "6.1.124-1" and "6.1.119-1" are of one branch of upstream's, "6.1".
std::vector<std::string_view> branch_of(std::string_view version) {
  auto parts = split(upstream_of(version), '.');
  parts.pop_back();
  return parts;
}

bool has_fix_in(const std::vector<std::string_view>& branch, const Statement& statement, const TextPool& texts) {
  return branch.size() >= 2 && std::any_of(statement.events.begin(), statement.events.end(), [&](const Event& event) {
    return event.kind == Event::Kind::fixed && branch_of(texts[event.version]) == branch;
  });
}

/// Not above what the release has; or above it because the feed is older than the machine.
bool is_of_release(const Statement& own, const Subject& subject, const Evaluator& evaluator, const TextPool& texts) {
  const std::string& version = subject.source_version.text;
  const bool is_backport = !origin_of_backport(version).empty();
  if (own.ceiling == 0) return !is_backport;
  const std::string& ceiling = texts[own.ceiling];
  if (evaluator.compare(version, ceiling) <= 0) return true;
  if (is_backport) return false;
  if (version.find("deb" + texts[own.release] + "u") != std::string::npos) return true;
  if (upstream_of(version) == upstream_of(ceiling)) return true;
  const auto branch = branch_of(version);
  return branch.size() >= 2 && branch == branch_of(ceiling);
}

}  // namespace

const Statement& judging_statement(const Statement& own, Statements on_source, const Subject& subject, const Evaluator& evaluator, const TextPool& texts) {
  if (own.kind != FeedKind::debian_tracker && (own.kind != FeedKind::osv || own.distribution != Distribution::debian)) return own;
  if (is_of_release(own, subject, evaluator, texts)) return own;
  std::vector<std::pair<int, const Statement*>> newer;
  for (const auto& statement : on_source) {
    const bool same = statement.kind == own.kind && statement.record == own.record && statement.distribution == own.distribution;
    const int rank = rank_of(texts[statement.release]);
    if (same && rank > rank_of(texts[own.release])) newer.emplace_back(rank, &statement);
  }
  if (newer.empty()) return own;
  std::stable_sort(newer.begin(), newer.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [rank, statement] : newer) {
    if (statement->ceiling != 0 && evaluator.compare(subject.origin.text, texts[statement->ceiling]) <= 0) return *statement;
  }
  const auto branch = branch_of(subject.origin.text);
  for (const auto& [rank, statement] : newer) {
    if (has_fix_in(branch, *statement, texts)) return *statement;
  }
  return *newer.back().second;
}

}  // namespace vmpatch::advisory
