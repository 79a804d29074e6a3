#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <utility>

#include "vmpatch/advisory/database.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

template <class Value, std::size_t size>
using Table = std::array<std::pair<Value, std::string_view>, size>;

constexpr Table<Severity, 6> severities{{{Severity::unknown, "unknown"},
                                         {Severity::none, "none"},
                                         {Severity::low, "low"},
                                         {Severity::medium, "medium"},
                                         {Severity::high, "high"},
                                         {Severity::critical, "critical"}}};

// Words of vendors for the same steps: Red Hat, SUSE, GitHub, Ubuntu, Debian's tracker.
constexpr Table<Severity, 5> synonyms{{{Severity::medium, "moderate"},
                                       {Severity::high, "important"},
                                       {Severity::low, "negligible"},
                                       {Severity::low, "minor"},
                                       {Severity::none, "unimportant"}}};

constexpr Table<FeedKind, 6> kinds{{{FeedKind::automatic, "automatic"},
                                    {FeedKind::osv, "osv"},
                                    {FeedKind::debian_tracker, "debian-tracker"},
                                    {FeedKind::csaf, "csaf"},
                                    {FeedKind::kev, "kev"},
                                    {FeedKind::epss, "epss"}}};

template <class Value, std::size_t size>
std::string_view word_of(const Table<Value, size>& table, Value value) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const auto& row) { return row.first == value; });
  return found == table.end() ? "?" : found->second;
}

template <class Value, std::size_t size>
const Value* value_of(const Table<Value, size>& table, std::string_view word) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const auto& row) { return row.second == word; });
  return found == table.end() ? nullptr : &found->first;
}

}  // namespace

std::string_view to_string(Severity severity) { return word_of(severities, severity); }

Result<Severity> parse_severity(std::string_view word) {
  std::string lower(word.substr(0, 32));
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (const auto* value = value_of(severities, lower)) return *value;
  if (const auto* value = value_of(synonyms, lower)) return *value;
  return fail(Errc::usage, "'{}' is no severity; use none, low, medium, high or critical", escape_untrusted(word.substr(0, 80)));
}

std::string_view to_string(Status status) {
  switch (status) {
    case Status::affected_fixed: return "affected, fix available";
    case Status::affected_unfixed: return "affected, no fix";
    case Status::under_investigation: return "under investigation";
    case Status::not_affected: return "not affected";
  }
  return "?";
}

std::string_view status_word(Status status) {
  switch (status) {
    case Status::affected_fixed: return "affected_fixed";
    case Status::affected_unfixed: return "affected_unfixed";
    case Status::under_investigation: return "under_investigation";
    case Status::not_affected: return "not_affected";
  }
  return "?";
}

std::string_view to_string(FeedKind kind) { return word_of(kinds, kind); }

Result<FeedKind> parse_feed_kind(std::string_view word) {
  if (const auto* value = value_of(kinds, word)) return *value;
  return fail(Errc::usage, "'{}' is no kind of feed; use osv, debian-tracker, csaf, kev, epss or automatic",
              escape_untrusted(word.substr(0, 80)));
}

}  // namespace vmpatch::advisory
