#include "advisory/osv.hpp"

#include <algorithm>
#include <array>

#include "advisory/json_elements.hpp"
#include "advisory/json_view.hpp"
#include "advisory/osv_names.hpp"
#include "advisory/osv_versions.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t most_affected = 20'000;
constexpr std::size_t longest_name = 256;

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

/// Whether a copy of the record may be in, which this one replaces although it is about nothing that is asked for.
bool may_replace(std::string_view text, const Store& store) {
  bool found = false;
  each_value_of(text, "\"id\"", [&](std::string_view id) {
    found = store.has_copy(FeedKind::osv, "", id);
    return !found;
  });
  return found;
}

/// Of a record that begins with its id, as nearly all do: another "id" may be that of something in it.
std::string_view leading_id(std::string_view text) {
  const auto key = text.find("\"id\"");
  const auto brace = text.find('{');
  if (key == std::string_view::npos || brace == std::string_view::npos || text.substr(brace + 1, key - brace - 1).find_first_of("{[") != std::string_view::npos) return {};
  std::string_view id;
  each_value_of(text.substr(key), "\"id\"", [&](std::string_view value) {
    id = value;
    return false;
  });
  return id;
}

/// Remembers how new it is. Names of CVEs are given by many databases.
void pass_over(std::string_view text, Intake& intake) {
  if (text.find("\"withdrawn\"") != std::string_view::npos) ++intake.state.withdrawn;
  const std::string_view id = leading_id(text);
  if (!is_record_id(id) || is_cve(id)) return;
  each_value_of(text, "\"modified\"", [&](std::string_view modified) {
    if (const auto time = feed_time(modified)) intake.store.pass_over(id, *time);
    return false;
  });
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
    const std::string id = osv_id(record_);
    const Json& affected = member(record_, "affected");
    if (!is_record_id(id)) {
      const bool matters = affected.is_array() ? std::any_of(affected.begin(), affected.end(), [&](const Json& one) { return concerns(one); }) : may_be_ours_;
      return matters ? intake_.skip(where_, "no usable \"id\"") : void();
    }
    where_ = fmt::format("{} ({})", where_, id);
    if (!affected.is_array() && !affected.is_null()) return may_be_ours_ ? intake_.skip(where_, "\"affected\" is no array") : void();
    if (affected.size() > most_affected) return may_be_ours_ ? intake_.skip(where_, "too many packages") : void();
    if (is_no_security_erratum(id) && osv_ids(record_).cves.empty()) return;
    const auto copy = intake_.store.begin(FeedKind::osv, publisher(id), id, {feed_time(text_of(record_, "modified")), {}});
    if (!copy) return;
    copy_ = *copy;
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
  /// Other ids are of one database; records with the CVE's own name are made by many.
  [[nodiscard]] std::string publisher(const std::string& id) const {
    if (!is_cve(id)) return {};
    for (const auto& one : items_of(record_, "affected")) {
      const std::string& ecosystem = text_of(member(one, "package"), "ecosystem");
      if (scope_of_ecosystem(ecosystem)) return ecosystem.substr(0, ecosystem.find(':'));
    }
    return "none";
  }

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
      const RecordIds ids = osv_ids(record_);
      cves_ = ids.cves;
      bundle_ = ids.cves.size() > 1;
      numbers_ = intake_.store.vulnerabilities(ids);
    }
    return numbers_;
  }

  void rate(const Json& holder) {
    for (const auto& severity : items_of(holder, "severity")) apply(osv_rating(severity));
  }
  void rate_word(std::string_view what, const std::string& word) { apply(osv_word_rating(what, word)); }
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
    statement.record = intake_.store.texts.intern(osv_id(record_));
    statement.copy = copy_;
    statement.note = intake_.store.texts.intern(note_);
    OsvVersions versions;
    if (!withdrawn_) {
      versions = read_osv_versions(affected, name, intake_.store.texts, statement);
      if (!versions.understood && !statement.partial) return drop(affected, "neither versions nor a range of the distribution's versions");
      if (!versions.puzzle.empty()) drop(affected, versions.puzzle);
    }
    const std::string& urgency = text_of(member(affected, "ecosystem_specific"), "urgency");
    if (!withdrawn_ && (urgency == "unimportant" || urgency == "end-of-life")) statement.note = intake_.store.texts.intern(urgency);
    add(name, statement, versions.modular, osv_release_cves(affected));
    used_ = true;
    rate(affected);
    rate_word("urgency", urgency);
    rate_word("severity", text_of(member(affected, "ecosystem_specific"), "severity"));
    rate_word("severity", text_of(member(affected, "database_specific"), "severity"));
  }

  /// `cves`: those of the release; empty = all.
  void add(const std::string& name, Statement& statement, bool modular, const std::vector<std::string>& cves) {
    std::vector<Text> streams{0};
    if (modular) {
      streams.clear();
      for (const auto& stream : streams_in_title(text_of(record_, "summary"))) streams.push_back(intake_.store.texts.intern(stream));
      if (streams.empty()) streams.push_back(intake_.store.texts.intern(untold_stream));
    }
    const std::vector<std::uint32_t>& all = numbers();
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!cves.empty() && all.size() > 1 && std::find(cves.begin(), cves.end(), cves_[i]) == cves.end()) continue;
      statement.advisory = all[i];
      for (const auto stream : streams) {
        statement.module = stream;
        intake_.store.add(name, statement);
      }
    }
  }

  const Json& record_;
  std::string where_;
  bool may_be_ours_;
  Intake& intake_;
  bool withdrawn_ = false;
  bool used_ = false;
  bool bundle_ = false;
  CopyNumber copy_ = no_copy;
  std::vector<std::string> cves_;  ///< of numbers_, where there are several
  std::string note_;
  std::string dropped_;  ///< what is left out first, and why
  std::vector<std::uint32_t> numbers_;
};

}  // namespace

void load_osv_record(std::string_view text, std::string_view where, Intake& intake) {
  ++intake.state.records;
  cover(text, intake);
  if (!is_interesting(text, intake.store) && !may_replace(text, intake.store)) return pass_over(text, intake);
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
