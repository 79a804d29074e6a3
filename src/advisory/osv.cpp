#include "advisory/osv.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "advisory/cvss.hpp"
#include "advisory/evaluate.hpp"
#include "advisory/json_elements.hpp"
#include "advisory/json_view.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t most_affected = 20'000;
constexpr std::size_t most_events = 1'000;
constexpr std::size_t most_versions = 100'000;
constexpr std::size_t most_cves = 2'000;
constexpr std::size_t longest_name = 256;
constexpr std::size_t longest_version = 256;

/// The text values of a key, wherever it stands: a look before the record is parsed. False from `see` ends it.
template <class See>
void each_value_of(std::string_view text, std::string_view quoted_key, const See& see) {
  for (auto at = text.find(quoted_key); at != std::string_view::npos; at = text.find(quoted_key, at)) {
    at += quoted_key.size();
    const auto start = text.find_first_not_of(" \t\r\n:", at);
    if (start == std::string_view::npos || text[start] != '"') continue;
    const auto end = text.find('"', start + 1);
    if (end == std::string_view::npos) return;
    if (!see(text.substr(start + 1, end - start - 1))) return;
    at = end + 1;
  }
}

void cover(std::string_view text, Intake& intake) {
  each_value_of(text, "\"ecosystem\"", [&](std::string_view ecosystem) {
    if (const auto scope = scope_of_ecosystem(ecosystem)) intake.store.cover(*scope);
    return true;
  });
}

/// Of a record that cannot be read: whether it may be on a package of a distribution that is matched.
bool may_be_ours(std::string_view text) {
  bool any = false;
  bool ours = false;
  each_value_of(text, "\"ecosystem\"", [&](std::string_view ecosystem) {
    any = true;
    ours = scope_of_ecosystem(ecosystem).has_value() || ecosystem.find('\\') != std::string_view::npos;
    return !ours;
  });
  return ours || !any;
}

bool is_interesting(std::string_view text, const Store& store) {
  bool found = false;
  each_value_of(text, "\"name\"", [&](std::string_view name) {
    // With an escape the name is known only after parsing.
    found = store.interesting(name) || name.find('\\') != std::string_view::npos;
    return !found;
  });
  return found;
}

/// "DEBIAN-CVE-2024-1" → "CVE-2024-1": databases that make one record for each CVE name it after it.
std::string_view cve_in(std::string_view id) {
  const auto at = id.find("CVE-");
  if (at == std::string_view::npos || (at > 0 && id[at - 1] != '-')) return {};
  return is_cve(id.substr(at)) ? id.substr(at) : std::string_view();
}

void add_cves(const Json& list, std::vector<std::string>& cves) {
  for (const auto& item : list) {
    const auto cve = cve_in(text_of(item));
    if (cve.empty() || cves.size() >= most_cves) continue;
    if (std::find(cves.begin(), cves.end(), cve) == cves.end()) cves.emplace_back(cve);
  }
}

/// "SUSE-SU-403 Forbidden-1" is a record of SUSE's.
std::string id_of(const Json& record) {
  std::string id = text_of(record, "id");
  std::replace(id.begin(), id.end(), ' ', '_');
  return id;
}

RecordIds ids_of(const Json& record) {
  RecordIds ids;
  ids.record = id_of(record);
  if (const auto cve = cve_in(ids.record); !cve.empty()) ids.cves.emplace_back(cve);
  if (ids.cves.empty()) add_cves(items_of(record, "aliases"), ids.cves);
  if (ids.cves.empty()) add_cves(items_of(record, "upstream"), ids.cves);
  // Errata of AlmaLinux, Rocky and SUSE, and older ones of Debian, name theirs as related.
  if (ids.cves.empty()) add_cves(items_of(record, "related"), ids.cves);
  for (const auto& alias : items_of(record, "aliases")) {
    if (is_record_id(text_of(alias)) && ids.aliases.size() < most_cves) ids.aliases.push_back(text_of(alias));
  }
  return ids;
}

std::optional<Rating> rating_of(const Json& severity) {
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

std::optional<Rating> word_rating(std::string_view what, const std::string& word) {
  const auto severity = word.empty() ? Result<Severity>(Severity::unknown) : parse_severity(word);
  if (!severity || *severity == Severity::unknown) return std::nullopt;
  return Rating{Rating::Grade::word, *severity, 0, fmt::format("{} {} (osv)", what, word)};
}

/// Errata of Red Hat and its kin that mend bugs (RHBA) or add something (RHEA): AlmaLinux publishes them as records, too.
bool is_no_security_erratum(std::string_view id) {
  constexpr std::array<std::string_view, 8> kinds{"RHBA-", "RHEA-", "ALBA-", "ALEA-", "RLBA-", "RLEA-", "ELBA-", "ELEA-"};
  return std::any_of(kinds.begin(), kinds.end(), [&](std::string_view kind) { return id.starts_with(kind); });
}

class Record {
 public:
  Record(const Json& record, std::string_view where, bool may_be_ours, Intake& intake)
      : record_(record), where_(where), may_be_ours_(may_be_ours), intake_(intake) {}

  void load() {
    const std::string id = id_of(record_);
    const Json& affected = member(record_, "affected");
    if (!is_record_id(id)) {
      const bool matters = affected.is_array() ? std::any_of(affected.begin(), affected.end(), [&](const Json& one) { return concerns(one); }) : may_be_ours_;
      return matters ? intake_.skip(where_, "no usable \"id\"") : void();
    }
    where_ = fmt::format("{} ({})", where_, id);
    if (!affected.is_array() && !affected.is_null()) return may_be_ours_ ? intake_.skip(where_, "\"affected\" is no array") : void();
    if (affected.size() > most_affected) return may_be_ours_ ? intake_.skip(where_, "too many packages") : void();
    if (is_no_security_erratum(id) && ids_of(record_).cves.empty()) return;
    read_withdrawn();
    for (const auto& one : items_of(affected)) read_affected(one);
    if (!dropped_.empty() && !withdrawn_) intake_.skip(where_, dropped_);
    if (withdrawn_) ++intake_.state.withdrawn;
    if (!used_) return;
    ++intake_.state.relevant;
    if (withdrawn_) return;
    const std::string& summary = text_of(record_, "summary");
    for (const auto number : numbers()) {
      intake_.store.describe(number, summary.empty() ? text_of(record_, "details") : summary, feed_time(text_of(record_, "published")));
    }
    rate(record_);
    rate_word("severity", text_of(member(record_, "database_specific"), "severity"));
  }

 private:
  void read_withdrawn() {
    const Json& value = member(record_, "withdrawn");
    if (value.is_null()) return;
    const auto time = feed_time(text_of(value));
    withdrawn_ = true;
    note_ = time ? format_time(*time).substr(0, 10) : "an unknown date";
  }

  /// Only once something of the record is used.
  const std::vector<std::uint32_t>& numbers() {
    if (numbers_.empty()) {
      const RecordIds ids = ids_of(record_);
      bundle_ = ids.cves.size() > 1;
      numbers_ = intake_.store.vulnerabilities(ids);
    }
    return numbers_;
  }

  void rate(const Json& holder) {
    for (const auto& severity : items_of(holder, "severity")) apply(rating_of(severity));
  }
  void rate_word(std::string_view what, const std::string& word) { apply(word_rating(what, word)); }
  void apply(std::optional<Rating> rating) {
    if (!rating || withdrawn_) return;
    // The rating of an erratum is that of the worst it mends, not of each.
    if (bundle_) rating->grade = Rating::Grade::bundle;
    for (const auto number : numbers()) intake_.store.rate(number, *rating);
  }

  /// Whether leaving it out may make an answer wrong: it names a package that is asked for, and no other ecosystem.
  [[nodiscard]] bool concerns(const Json& affected) const {
    const Json& package = member(affected, "package");
    const std::string& ecosystem = text_of(package, "ecosystem");
    return intake_.store.is_installed(text_of(package, "name")) && (ecosystem.empty() || scope_of_ecosystem(ecosystem).has_value());
  }

  void drop(const Json& affected, std::string_view why) {
    if (dropped_.empty() && concerns(affected)) dropped_ = fmt::format("package {}: {}", text_of(member(affected, "package"), "name").substr(0, longest_name), why);
  }

  void read_affected(const Json& affected) {
    const Json& package = member(affected, "package");
    const std::string& name = text_of(package, "name");
    const auto scope = scope_of_ecosystem(text_of(package, "ecosystem"));
    if (!scope) return drop(affected, "no ecosystem");
    if (name.empty() || name.size() > longest_name || !intake_.store.interesting(name)) return;
    Statement statement;
    statement.rank = Rank::osv;
    statement.kind = FeedKind::osv;
    statement.naming = names_binaries(scope->distribution) ? Naming::either : Naming::source;
    statement.claim = withdrawn_ ? Claim::withdrawn : Claim::ranges;
    statement.distribution = scope->distribution;
    statement.release = intake_.store.texts.intern(scope->release);
    statement.record = intake_.store.texts.intern(id_of(record_));
    statement.note = intake_.store.texts.intern(note_);
    if (!withdrawn_ && !read_versions(affected, statement)) return drop(affected, "neither versions nor a range of the distribution's versions");
    const std::string& urgency = text_of(member(affected, "ecosystem_specific"), "urgency");
    if (!withdrawn_ && (urgency == "unimportant" || urgency == "end-of-life")) statement.note = intake_.store.texts.intern(urgency);
    for (const auto number : numbers()) {
      statement.advisory = number;
      intake_.store.add(name, statement);
    }
    used_ = true;
    rate(affected);
    rate_word("urgency", urgency);
    rate_word("severity", text_of(member(affected, "ecosystem_specific"), "severity"));
    rate_word("severity", text_of(member(affected, "database_specific"), "severity"));
  }

  /// False when it holds nothing that can be compared: then nothing is said of the package.
  bool read_versions(const Json& affected, Statement& statement) {
    bool understood = false;
    const auto puzzled = [&](std::string_view why) {
      intake_.complain(where_, why);
      statement.partial = true;
    };
    std::uint16_t number = 0;
    for (const auto& range : items_of(affected, "ranges")) {
      const std::string& type = text_of(range, "type");
      if (type != "ECOSYSTEM") {
        if (type != "GIT" && type != "SEMVER") puzzled("a range of unknown type");
        continue;
      }
      const bool fits = number < most_events;
      if (fits && read_range(range, number, statement)) {
        understood = true;
        ++number;
      } else {
        puzzled(fits ? "a range that is not understood" : "too many ranges");
      }
    }
    for (const auto& version : items_of(affected, "versions")) {
      const std::string& text = text_of(version);
      if (text.empty() || text.size() > longest_version || statement.versions.size() >= most_versions) {
        puzzled("a version that is not understood");
        continue;
      }
      statement.versions.push_back(intake_.store.texts.intern(without_zero_epoch(text)));
      understood = true;
    }
    std::sort(statement.versions.begin(), statement.versions.end());
    if (!understood && statement.partial) {
      statement.claim = Claim::investigating;
      statement.note = intake_.store.texts.intern("the record's versions are not understood");
    }
    return understood || statement.partial;
  }

  bool read_range(const Json& range, std::uint16_t number, Statement& statement) {
    const std::size_t before = statement.events.size();
    bool introduced = false;
    for (const auto& json : items_of(range, "events")) {
      Event event;
      event.range = number;
      if (!read_event(json, event) || statement.events.size() - before >= most_events) {
        statement.events.resize(before);
        return false;
      }
      introduced = introduced || event.kind == Event::Kind::introduced;
      statement.events.push_back(event);
    }
    if (!introduced) statement.events.resize(before);
    return introduced;
  }

  bool read_event(const Json& json, Event& event) {
    if (!json.is_object() || json.size() != 1) return false;
    const auto entry = json.begin();
    const std::string& key = entry.key();
    const std::string& version = text_of(entry.value());
    if (key == "introduced") event.kind = Event::Kind::introduced;
    else if (key == "fixed") event.kind = Event::Kind::fixed;
    else if (key == "last_affected") event.kind = Event::Kind::last_affected;
    else if (key == "limit") event.kind = Event::Kind::limit;
    else return false;
    if (version.empty() || version.size() > longest_version) return false;
    event.version = intake_.store.texts.intern(version);
    return true;
  }

  const Json& record_;
  std::string where_;
  bool may_be_ours_;
  Intake& intake_;
  bool withdrawn_ = false;
  bool used_ = false;
  bool bundle_ = false;
  std::string note_;
  std::string dropped_;  ///< what is left out first, and why
  std::vector<std::uint32_t> numbers_;
};

}  // namespace

void load_osv_record(std::string_view text, std::string_view where, Intake& intake) {
  ++intake.state.records;
  cover(text, intake);
  if (!is_interesting(text, intake.store)) {
    if (text.find("\"withdrawn\"") != std::string_view::npos) ++intake.state.withdrawn;
    return;
  }
  const bool ours = may_be_ours(text);
  const auto json = parse_json(text, where);
  if (!json) return ours ? intake.skip(where, json.error().message) : void();
  if (!json->is_object()) return ours ? intake.skip(where, "is no object") : void();
  Record(*json, where, ours, intake).load();
}

Result<void> load_osv(ByteSource& source, bool is_array, Intake& intake) {
  JsonElements how;
  how.depth = is_array ? 1 : 0;
  how.visit = [&](const JsonElement& element) -> Result<void> {
    if (!is_array && element.text.find("\"id\"") == std::string_view::npos) return fail(Errc::failed, "no \"id\": this is no OSV record");
    load_osv_record(element.text, fmt::format("record {}", intake.state.records + 1), intake);
    return {};
  };
  how.too_large = [&](const JsonPath&, std::uint64_t offset) {
    ++intake.state.records;
    intake.skip(fmt::format("record {} at byte {}", intake.state.records, offset), "is too large");
  };
  return each_json_element(source, how);
}

}  // namespace vmpatch::advisory
