#include "advisory/debian_tracker.hpp"

#include <utility>

#include "advisory/json_elements.hpp"
#include "advisory/json_view.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/guest/versions.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t most_releases = 100;
constexpr std::size_t longest_text = 256;

/// Counts only where somebody has the package.
void skip(Intake& intake, std::string_view package, std::string_view where, std::string_view why) {
  if (intake.store.is_installed(package)) intake.skip(where, why);
}

class TrackerRecord {
 public:
  TrackerRecord(const JsonPath& path, const Json& record, Intake& intake) : package_(path[0]), id_(path[1]), record_(record), intake_(intake) {}

  void load() {
    const Json& releases = member(record_, "releases");
    if (!releases.is_object() || releases.size() > most_releases) return skip(intake_, package_, where(), "no \"releases\"");
    RecordIds ids{id_, {}, {}};
    if (is_cve(id_)) ids.cves.push_back(id_);
    number_ = intake_.store.vulnerabilities(ids).front();
    ++intake_.state.relevant;
    intake_.store.describe(number_, text_of(record_, "description"), std::nullopt);
    for (const auto& [codename, release] : releases.items()) read_release(codename, release, member(releases, "sid"));
  }

 private:
  [[nodiscard]] std::string where() const { return package_ + " " + id_; }
  [[nodiscard]] Text intern(std::string_view text) { return intake_.store.texts.intern(text.substr(0, longest_text)); }

  void read_release(const std::string& codename, const Json& release, const Json& development) {
    if (codename.empty() || codename.size() > 40) return;
    Statement statement;
    statement.advisory = number_;
    statement.rank = Rank::tracker;
    statement.kind = FeedKind::debian_tracker;
    const Scope scope = scope_of_codename(codename);
    statement.distribution = scope.distribution;
    statement.release = intern(scope.release);
    statement.record = intern(id_);
    const std::string& status = text_of(release, "status");
    const std::string& fixed = text_of(release, "fixed_version");
    std::string urgency = text_of(release, "urgency");
    while (urgency.ends_with('*')) urgency.pop_back();
    statement.ceiling = ceiling(codename, release);
    if (fixed.size() > longest_text) {
      puzzled(codename, "unusable fixed version");
      investigate(statement, "the tracker's fixed version is not understood");
    } else if (status == "resolved") {
      resolved(statement, fixed, urgency);
    } else if (status == "open") {
      open(statement, release, urgency, development);
    } else if (status == "undetermined") {
      investigate(statement, "undetermined in Debian's tracker");
    } else {
      puzzled(codename, "unknown status");
      investigate(statement, "the tracker's status is not understood");
    }
    intake_.store.add(package_, std::move(statement));
    rate(urgency);
  }

  /// The record counts once.
  void puzzled(const std::string& codename, std::string_view why) {
    if (!std::exchange(is_puzzling_, true)) skip(intake_, package_, where() + " " + codename, why);
  }

  /// {"bookworm": "6.1.119-1", "bookworm-security": "6.1.123-1"}: what the release has now.
  [[nodiscard]] Text ceiling(const std::string& codename, const Json& release) {
    const std::string* highest = nullptr;
    const Json& repositories = member(release, "repositories");
    if (!repositories.is_object() || repositories.size() > most_releases) return 0;
    for (const auto& [repository, json] : repositories.items()) {
      const std::string& version = text_of(json);
      const bool is_its_own = repository == codename || (repository.starts_with(codename + "-") && repository.find("backports") == std::string::npos);
      if (!is_its_own || version.empty() || version.size() > longest_text) continue;
      if (highest == nullptr || guest::compare_versions(guest::VersionScheme::deb, version, *highest) > 0) highest = &version;
    }
    return highest == nullptr ? 0 : intern(*highest);
  }

  void investigate(Statement& statement, std::string_view why) {
    statement.claim = Claim::investigating;
    statement.note = intern(why);
  }

  void resolved(Statement& statement, const std::string& fixed, const std::string& urgency) {
    if (fixed.empty()) return investigate(statement, "resolved, but Debian's tracker names no fixed version");
    if (fixed == "0") {
      statement.claim = Claim::not_affected;
      statement.note = intern("this release was never affected");
      return;
    }
    statement.claim = Claim::fixed_in;
    statement.fixed = intern(fixed);
    if (urgency == "unimportant") statement.note = intern(urgency);
  }

  void open(Statement& statement, const Json& release, const std::string& urgency, const Json& development) {
    statement.claim = Claim::open;
    statement.note = intern(reason(release, urgency));
    // A package from a newer release or from backports may hold the fix already.
    const std::string& fixed = text_of(development, "fixed_version");
    if (text_of(development, "status") == "resolved" && !fixed.empty() && fixed != "0" && fixed.size() <= longest_text) {
      statement.fixed = intern(fixed);
    }
  }

  static std::string reason(const Json& release, const std::string& urgency) {
    if (urgency == "end-of-life") return "end-of-life: no longer supported in this release";
    std::string text = urgency == "unimportant" ? "unimportant" : "";
    const std::string& note = text_of(release, "nodsa");
    const std::string& why = text_of(release, "nodsa_reason");
    if (!note.empty() || !why.empty()) {
      text += text.empty() ? "" : ", ";
      text += why.empty() ? "no advisory" : why;
      if (!note.empty()) text += ": " + note.substr(0, note.find_first_of("\r\n"));
    }
    return text.empty() ? "no fixed version yet" : text;
  }

  void rate(const std::string& urgency) {
    if (urgency.empty() || urgency == "not yet assigned" || urgency == "end-of-life") return;
    const auto severity = parse_severity(urgency);
    if (severity) intake_.store.rate(number_, {Rating::Grade::word, *severity, 0, "urgency " + urgency + " (debian-tracker)"});
  }

  const std::string& package_;
  const std::string& id_;
  const Json& record_;
  Intake& intake_;
  std::uint32_t number_ = 0;
  bool is_puzzling_ = false;
};

/// What the feed speaks of, whether anybody asks for the package or not.
void cover_releases(const JsonElement& element, Store& store, std::set<std::string, std::less<>>& known) {
  const auto at = element.text.find("\"releases\"");
  if (at == std::string_view::npos) return;
  const auto brace = element.text.find('{', at);
  if (brace == std::string_view::npos) return;
  JsonElements how;
  how.wanted = [&](const JsonPath& path) {
    if (path[0].size() <= 40 && known.size() < 100 && known.insert(path[0]).second) store.cover(scope_of_codename(path[0]));
    return false;
  };
  how.visit = [](const JsonElement&) -> Result<void> { return {}; };
  // What follows the object is no JSON document: the reading ends there with an error, after every release was seen.
  static_cast<void>(each_json_element(element.text.substr(brace), how).has_value());
}

}  // namespace

Result<void> load_debian_tracker(ByteSource& source, Intake& intake) {
  std::set<std::string, std::less<>> known;
  bool found = false;
  JsonElements how;
  how.depth = 2;
  how.visit = [&](const JsonElement& element) -> Result<void> {
    ++intake.state.records;
    found = true;
    cover_releases(element, intake.store, known);
    if (!intake.store.interesting(element.path[0])) return {};
    const std::string where = element.path[0] + " " + element.path[1];
    if (element.path[0].empty() || element.path[0].size() > 256 || !is_record_id(element.path[1])) {
      skip(intake, element.path[0], where, "no usable package or id");
      return {};
    }
    const auto json = parse_json(element.text, "record");
    if (json) {
      TrackerRecord(element.path, *json, intake).load();
    } else {
      skip(intake, element.path[0], where, json.error().message);
    }
    return {};
  };
  how.too_large = [&](const JsonPath& path, std::uint64_t) {
    ++intake.state.records;
    skip(intake, path[0], path[0] + " " + path[1], "is too large");
  };
  how.too_shallow = [&](const JsonPath& path) {
    if (path.empty()) return;
    ++intake.state.records;
    skip(intake, path[0], path[0], "is no object of records");
  };
  VMPATCH_CHECK(each_json_element(source, how));
  if (!found) return fail(Errc::failed, "no record of a package: this is no file of Debian's tracker");
  return {};
}

}  // namespace vmpatch::advisory
