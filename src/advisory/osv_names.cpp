#include "advisory/osv_names.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "advisory/cvss.hpp"
#include "advisory/json_view.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t most_cves = 2'000;

void add_cves(const Json& list, std::vector<std::string>& cves) {
  for (const auto& item : list) {
    const auto cve = cve_in(text_of(item.is_object() ? member(item, "id") : item));
    if (cve.empty() || cves.size() >= most_cves) continue;
    if (std::find(cves.begin(), cves.end(), cve) == cves.end()) cves.emplace_back(cve);
  }
}

/// A notice may name CVEs with its releases alone.
void add_release_cves(const Json& record, std::vector<std::string>& cves) {
  if (!cve_in(osv_id(record)).empty()) return;
  std::set<std::string> all(cves.begin(), cves.end());
  for (const auto& affected : items_of(record, "affected")) {
    for (auto& cve : osv_release_cves(affected)) {
      if (cves.size() < most_cves && all.insert(cve).second) cves.push_back(std::move(cve));
    }
  }
}

}  // namespace

std::string_view cve_in(std::string_view id) {
  const auto at = id.find("CVE-");
  if (at == std::string_view::npos || (at > 0 && id[at - 1] != '-')) return {};
  return is_cve(id.substr(at)) ? id.substr(at) : std::string_view();
}

std::string osv_id(const Json& record) {
  std::string id = text_of(record, "id");
  std::replace(id.begin(), id.end(), ' ', '_');
  return id;
}

std::vector<std::string> osv_release_cves(const Json& affected) {
  const Json& map = member(member(affected, "database_specific"), "cves_map");
  std::vector<std::string> cves;
  if (text_of(map, "ecosystem") == text_of(member(affected, "package"), "ecosystem")) add_cves(items_of(map, "cves"), cves);
  return cves;
}

RecordIds osv_ids(const Json& record) {
  RecordIds ids;
  ids.record = osv_id(record);
  if (const auto cve = cve_in(ids.record); !cve.empty()) ids.cves.emplace_back(cve);
  if (ids.cves.empty()) add_cves(items_of(record, "aliases"), ids.cves);
  if (ids.cves.empty()) add_cves(items_of(record, "upstream"), ids.cves);
  // Errata of AlmaLinux, Rocky and SUSE, and older ones of Debian, name theirs as related.
  if (ids.cves.empty()) add_cves(items_of(record, "related"), ids.cves);
  add_release_cves(record, ids.cves);
  for (const auto& alias : items_of(record, "aliases")) {
    if (is_record_id(text_of(alias)) && ids.aliases.size() < most_cves) ids.aliases.push_back(text_of(alias));
  }
  return ids;
}

std::optional<Rating> osv_rating(const Json& severity) {
  const std::string& type = text_of(severity, "type");
  const std::string& score = text_of(severity, "score");
  Rating rating;
  if (type == "Ubuntu") {
    rating.grade = Rating::Grade::word;
    rating.severity = parse_severity(score).value_or(Severity::unknown);
    rating.source = "priority " + score + " (osv)";
    return rating;
  }
  rating.grade = Rating::Grade::cvss;
  if (const auto base = base_score(score); base) {
    rating.severity = base->severity;
    rating.score = base->score;
    rating.source = fmt::format("CVSS {} {:.1f} (osv)", base->version, base->score);
    return rating;
  }
  double number = 0;
  const auto [end, error] = std::from_chars(score.data(), score.data() + score.size(), number);
  if (error != std::errc() || end != score.data() + score.size() || !(number >= 0 && number <= 10)) return std::nullopt;
  rating.severity = severity_of_score(number, type == "CVSS_V2" ? "2" : "3");
  rating.score = number;
  rating.source = fmt::format("CVSS {:.1f} (osv)", number);
  return rating;
}

std::optional<Rating> osv_word_rating(std::string_view what, const std::string& word) {
  const auto severity = word.empty() ? Result<Severity>(Severity::unknown) : parse_severity(word);
  if (!severity || *severity == Severity::unknown) return std::nullopt;
  return Rating{Rating::Grade::word, *severity, 0, fmt::format("{} {} (osv)", what, word)};
}

}  // namespace vmpatch::advisory
