#include "advisory/csaf.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <tuple>

#include "advisory/csaf_products.hpp"
#include "advisory/cvss.hpp"
#include "advisory/evaluate.hpp"
#include "advisory/json_view.hpp"
#include "advisory/vers.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t most_versions = 10'000;
constexpr std::size_t longest_note = 300;

enum class Word : std::uint8_t { affected, first_affected, last_affected, fixed, recommended, not_affected, investigating };

// Section 3.2.3.9. SUSE names its fixes as "recommended".
constexpr std::array<std::pair<const char*, Word>, 8> status_lists{{{"known_affected", Word::affected},
                                                                    {"first_affected", Word::first_affected},
                                                                    {"last_affected", Word::last_affected},
                                                                    {"fixed", Word::fixed},
                                                                    {"first_fixed", Word::fixed},
                                                                    {"recommended", Word::recommended},
                                                                    {"known_not_affected", Word::not_affected},
                                                                    {"under_investigation", Word::investigating}}};

/// All that one vulnerability's lists say of one package name of one release.
struct Collected {
  bool every_affected = false;
  bool every_not_affected = false;
  bool investigating = false;
  bool fixed_without_version = false;
  bool recommended = false;  ///< a version, of which nothing says that it holds the fix
  VersionRange affected, not_affected;
  std::vector<Text> first, last;  ///< affected versions
  std::vector<Text> fixed;
  std::string affected_note, not_affected_note;
};

/// Scope, name, kind, module stream, general.
using Key = std::tuple<Scope, std::string, CsafPackage::Kind, std::string, bool>;

/// Texts that a vulnerability attaches to products: justifications, remediations.
class Remarks {
 public:
  explicit Remarks(const Json& product_tree) {
    for (const auto& group : items_of(product_tree, "product_groups")) {
      groups_.emplace(text_of(group, "group_id"), &items_of(group, "product_ids"));
    }
  }

  void read(const Json& vulnerability) {
    not_affected_.clear();
    affected_.clear();
    mended_.clear();
    for (const auto& flag : items_of(vulnerability, "flags")) add(flag, text_of(flag, "label"), not_affected_);
    for (const auto& threat : items_of(vulnerability, "threats")) {
      if (text_of(threat, "category") == "impact") add(threat, text_of(threat, "details"), not_affected_);
    }
    for (const auto& remediation : items_of(vulnerability, "remediations")) {
      const std::string& category = text_of(remediation, "category");
      if (category == "vendor_fix") add(remediation, category, mended_);
      if (category != "no_fix_planned" && category != "none_available" && category != "fix_planned") continue;
      std::string text = category;
      std::replace(text.begin(), text.end(), '_', ' ');
      const std::string& details = text_of(remediation, "details");
      if (!details.empty()) text += ": " + details.substr(0, details.find_first_of("\r\n"));
      add(remediation, text, affected_);
    }
  }

  [[nodiscard]] const std::string& not_affected(const std::string& product) const { return find(not_affected_, product); }
  [[nodiscard]] const std::string& affected(const std::string& product) const { return find(affected_, product); }
  [[nodiscard]] bool has_vendor_fix(const std::string& product) const { return mended_.find(product) != mended_.end(); }

 private:
  using Notes = std::map<std::string, std::string, std::less<>>;

  void add(const Json& holder, const std::string& text, Notes& notes) const {
    if (text.empty()) return;
    const std::string note = text.substr(0, std::min(longest_note, text.find_first_of("\r\n")));
    for (const auto& id : items_of(holder, "product_ids")) notes.emplace(text_of(id), note);
    for (const auto& group : items_of(holder, "group_ids")) {
      const auto found = groups_.find(text_of(group));
      if (found == groups_.end()) continue;
      for (const auto& id : *found->second) notes.emplace(text_of(id), note);
    }
  }

  static const std::string& find(const Notes& notes, const std::string& product) {
    static const std::string none;
    const auto found = notes.find(product);
    return found == notes.end() ? none : found->second;
  }

  std::map<std::string, const Json*> groups_;
  Notes not_affected_, affected_, mended_;
};

/// Whether what calls itself so may be an installed package: "AppStream-8:httpd-0:2.4.37-51.x86_64", "OpenSSL 3.0".
bool may_be_installed(std::string_view text, const Store& store) {
  text = text.substr(0, text.find(" as "));
  for (std::string_view part : split(text.substr(0, 512), ':')) {
    part = trim(part).substr(0, trim(part).find(' '));
    part = part.substr(part.rfind('/') + 1);
    std::string word(part);
    std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (std::size_t end = word.size(); !word.empty(); end = word.rfind('-')) {
      if (end == std::string::npos) break;
      word.resize(end);
      if (store.is_installed(word) || store.is_installed(part.substr(0, end))) return true;
    }
  }
  return false;
}

class Document {
 public:
  Document(const Json& json, const CsafProducts& products, Intake& intake)
      : json_(json), products_(products), intake_(intake), remarks_(member(json, "product_tree")),
        id_(text_of(member(member(json, "document"), "tracking"), "id")) {}

  void load() {
    const bool withdrawn = text_of(member(json_, "document"), "category") == "csaf_withdrawn";
    for (const auto& vulnerability : items_of(json_, "vulnerabilities")) {
      ++intake_.state.records;
      if (withdrawn) ++intake_.state.withdrawn;
      else read_vulnerability(vulnerability);
    }
  }

 private:
  void read_vulnerability(const Json& vulnerability) {
    const std::string where = fmt::format("{} vulnerability {}", id_, intake_.state.records);
    std::string name = text_of(vulnerability, "cve");
    for (const auto& id : items_of(vulnerability, "ids")) {
      if (name.empty() && is_record_id(text_of(id, "text"))) name = text_of(id, "text");
    }
    remarks_.read(vulnerability);
    collected_.clear();
    puzzling_.clear();
    modules_.clear();
    for (const auto& [list, word] : status_lists) {
      for (const auto& product : items_of(member(vulnerability, "product_status"), list)) collect(text_of(product), word, where);
    }
    find_missing_modules();
    if (!puzzling_.empty()) intake_.skip(where, "the product '" + puzzling_ + "' is not understood");
    if (collected_.empty()) return;
    if (!is_record_id(name)) {
      if (puzzling_.empty()) intake_.skip(where, "neither \"cve\" nor a usable id");
      return;
    }
    ++intake_.state.relevant;
    RecordIds ids{name, {}, {}};
    if (is_cve(name)) ids.cves.push_back(name);
    number_ = intake_.store.vulnerabilities(ids).front();
    intake_.store.describe(number_, summary(vulnerability), feed_time(text_of(vulnerability, "release_date")));
    rate(vulnerability);
    for (auto& [key, what] : collected_) state(key, what);
  }

  /// A module of which no package was collected for its release.
  void find_missing_modules() {
    for (const auto& [scope, product] : modules_) {
      const Scope& module = scope;  // clang 14 cannot capture a structured binding
      const bool known = std::any_of(collected_.begin(), collected_.end(), [&](const auto& one) {
        const Scope& package = std::get<0>(one.first);
        return package.distribution == module.distribution && (package.release == module.release || package.release.empty() || module.release.empty());
      });
      if (!known && puzzling_.empty()) puzzling_ = product;
    }
  }

  static const std::string& summary(const Json& vulnerability) {
    const std::string& title = text_of(vulnerability, "title");
    if (!title.empty()) return title;
    for (const auto& note : items_of(vulnerability, "notes")) {
      if (!text_of(note, "text").empty()) return text_of(note, "text");
    }
    return title;
  }

  void rate(const Json& vulnerability) {
    for (const auto& score : items_of(vulnerability, "scores")) {
      for (const auto* version : {"cvss_v3", "cvss_v2", "cvss_v4"}) {
        const Json& cvss = member(score, version);
        const Json& number = member(cvss, "baseScore");
        if (!number.is_number() || !(number.get<double>() >= 0 && number.get<double>() <= 10)) continue;
        const auto given = number.get<double>();
        const std::string name = text_of(cvss, "version").substr(0, 4);
        intake_.store.rate(number_, {Rating::Grade::cvss, severity_of_score(given, name), given, fmt::format("CVSS {} {:.1f} (csaf)", name, given)});
      }
    }
    for (const auto& threat : items_of(vulnerability, "threats")) {
      const std::string& word = text_of(threat, "details");
      if (text_of(threat, "category") != "impact" || word.size() > 20) continue;
      if (const auto severity = parse_severity(word); severity) {
        intake_.store.rate(number_, {Rating::Grade::word, *severity, 0, "impact " + word + " (csaf)"});
      }
    }
  }

  void collect(const std::string& product, Word word, const std::string& where) {
    const CsafMeaning& meaning = products_.meaning(product);
    if (meaning.kind != CsafMeaning::Kind::package) return puzzle(meaning, product);
    const CsafPackage* package = &meaning.package;
    // Without a release it is too little to call any release looked after.
    if (!package->general && !package->scope.release.empty()) intake_.store.cover(package->scope);
    if (!intake_.store.interesting(package->name)) return;
    Collected& what = collected_[{package->scope, package->name, package->kind, package->module_stream, package->general}];
    std::optional<VersionRange> range;
    if (!package->version.empty()) {
      range = VersionRange{{}, {intake_.store.texts.intern(without_zero_epoch(package->version))}};
    } else if (!package->range.empty()) {
      range = parse_vers(package->range, intake_.store.texts);
      if (!range) {
        intake_.complain(where, "version range '" + package->range + "' is not understood");
        what.investigating = true;
        return;
      }
    }
    switch (word) {
      case Word::affected:
      case Word::first_affected:
      case Word::last_affected:
        if (what.affected_note.empty()) what.affected_note = remarks_.affected(product);
        // Red Hat gives components without a fix versions that are none: go-toolset@rhel8, 389-ds-base@3.2.0-5.el10dsrv.
        if (!range || (!package->version.empty() && !package->general && package->scope.distribution == Distribution::redhat)) what.every_affected = true;
        else if (word == Word::affected || !range->events.empty()) append(what.affected, *range);
        else add_bounds(word == Word::first_affected ? what.first : what.last, *range);
        break;
      case Word::not_affected:
        if (what.not_affected_note.empty()) what.not_affected_note = remarks_.not_affected(product);
        range ? append(what.not_affected, *range) : void(what.every_not_affected = true);
        break;
      case Word::fixed: add_fixed(what, range); break;
      case Word::recommended: remarks_.has_vendor_fix(product) ? add_fixed(what, range) : void(what.recommended = true); break;
      case Word::investigating: what.investigating = true; break;
    }
  }

  /// Remembers what may be a package of a machine and is left out.
  void puzzle(const CsafMeaning& meaning, const std::string& product) {
    using Kind = CsafMeaning::Kind;
    if (meaning.kind == Kind::other) return;
    if (meaning.kind == Kind::module ? modules_.contains(meaning.package.scope) : !puzzling_.empty()) return;
    if (!meaning.may_be_installed) {
      meaning.may_be_installed = meaning.kind == Kind::broken || may_be_installed(meaning.text, intake_.store) || may_be_installed(product, intake_.store);
    }
    if (!*meaning.may_be_installed) return;
    std::string told = product.empty() ? "without an id" : product.substr(0, 200);
    if (meaning.kind == Kind::module) modules_.emplace(meaning.package.scope, std::move(told));
    else puzzling_ = std::move(told);
  }

  /// Several products' ranges stay several ranges.
  static void append(VersionRange& all, const VersionRange& more) {
    const auto number = static_cast<std::uint16_t>(all.events.empty() ? 0 : all.events.back().range + 1);
    if (all.versions.size() + all.events.size() > most_versions) return;
    for (Event event : more.events) {
      event.range = number;
      all.events.push_back(event);
    }
    all.versions.insert(all.versions.end(), more.versions.begin(), more.versions.end());
  }

  static void add_bounds(std::vector<Text>& bounds, const VersionRange& range) {
    bounds.insert(bounds.end(), range.versions.begin(), range.versions.end());
  }

  /// From a first affected version (or 0) to the last one (or a fix). As many firsts as lasts are pairs, of other numbers each last
  /// one bounds a range of its own: rather too wide than too narrow.
  static void append_bounded(Collected& what, Text zero) {
    if (what.first.empty() && what.last.empty()) return;
    const bool pairs = what.first.size() == what.last.size();
    const std::size_t ranges = pairs || what.last.empty() ? 1 : what.last.size();
    if (ranges * (what.first.size() + what.last.size() + what.fixed.size() + 1) > most_versions) {
      what.investigating = true;
      return;
    }
    for (std::size_t i = 0; i < ranges; ++i) {
      VersionRange range;
      for (const auto version : what.first) range.events.push_back({version, 0, Event::Kind::introduced});
      if (what.first.empty()) range.events.push_back({zero, 0, Event::Kind::introduced});
      for (std::size_t j = 0; j < what.last.size(); ++j) {
        if (pairs || i == j) range.events.push_back({what.last[j], 0, Event::Kind::last_affected});
      }
      for (const auto version : what.fixed) range.events.push_back({version, 0, Event::Kind::fixed});
      append(what.affected, range);
    }
  }

  static void add_fixed(Collected& what, const std::optional<VersionRange>& range) {
    if (range && range->events.empty()) {
      what.fixed.insert(what.fixed.end(), range->versions.begin(), range->versions.end());
    } else if (range && range->events.size() == 1 && range->events[0].kind == Event::Kind::introduced) {
      what.fixed.push_back(range->events[0].version);
    } else {
      what.fixed_without_version = true;
    }
  }

  void state(const Key& key, Collected& what) {
    const auto& scope = std::get<0>(key);
    const auto& name = std::get<1>(key);  // clang 14 cannot capture a structured binding
    const auto kind = std::get<2>(key);
    Statement base;
    base.advisory = number_;
    base.rank = std::get<4>(key) ? Rank::general : Rank::vex;
    base.module = intake_.store.texts.intern(std::get<3>(key));
    base.kind = FeedKind::csaf;
    base.naming = kind == CsafPackage::Kind::source ? Naming::source : kind == CsafPackage::Kind::binary ? Naming::binary : Naming::either;
    base.distribution = scope.distribution;
    base.release = intake_.store.texts.intern(scope.release);
    base.record = intake_.store.texts.intern(id_);
    const auto add = [&](Claim claim, const std::string& note, VersionRange range = {}, Text fixed = 0) {
      Statement statement = base;
      statement.claim = claim;
      statement.note = intake_.store.texts.intern(note);
      statement.fixed = fixed;
      statement.events = std::move(range.events);
      statement.versions = std::move(range.versions);
      std::sort(statement.versions.begin(), statement.versions.end());
      intake_.store.add(name, std::move(statement));
    };
    const auto given = [](const VersionRange& range) { return !range.events.empty() || !range.versions.empty(); };
    const bool says_nothing = !what.every_affected && !what.every_not_affected && what.fixed.empty() && !what.fixed_without_version &&
                              !given(what.affected) && !given(what.not_affected);
    std::sort(what.fixed.begin(), what.fixed.end());
    what.fixed.erase(std::unique(what.fixed.begin(), what.fixed.end()), what.fixed.end());
    append_bounded(what, intake_.store.texts.intern("0"));
    for (const auto fixed : what.fixed) add(Claim::fixed_in, "", {}, fixed);
    // With a fixed version "affected" means what is older than it.
    if (what.every_affected && what.fixed.empty()) add(Claim::open, what.affected_note);
    if (given(what.affected)) add(Claim::inside, what.affected_note, std::move(what.affected));
    if (what.every_not_affected) add(Claim::not_affected, what.not_affected_note);
    if (given(what.not_affected)) add(Claim::not_affected, what.not_affected_note, std::move(what.not_affected));
    if (what.investigating) add(Claim::investigating, "under investigation by the vendor");
    if (what.recommended && says_nothing) add(Claim::investigating, "a version is recommended, but no remediation says that it holds the fix");
    if (what.fixed_without_version && what.fixed.empty()) add(Claim::investigating, "fixed, but the document names no version");
  }

  const Json& json_;
  const CsafProducts& products_;
  Intake& intake_;
  Remarks remarks_;
  std::string id_;
  std::map<Key, Collected> collected_;
  std::uint32_t number_ = 0;
  std::string puzzling_;  ///< the first product that matters and is not understood
  std::map<Scope, std::string> modules_;  ///< the first one of each release that is named as a whole
};

}  // namespace

Result<void> load_csaf(std::string_view text, Intake& intake) {
  VMPATCH_TRY(const Json json, parse_json(text, "the document"));
  const Json& document = member(json, "document");
  const std::string& version = text_of(document, "csaf_version");
  if (!version.starts_with("2.")) return fail(Errc::failed, "no \"document\" with \"csaf_version\" 2.x: this is no CSAF document");
  const Json& tracking = member(document, "tracking");
  if (!is_record_id(text_of(tracking, "id"))) return fail(Errc::failed, "the CSAF document has no usable \"tracking.id\"");
  const auto released = feed_time(text_of(tracking, "current_release_date"));
  if (released && (!intake.state.issued || *released > *intake.state.issued)) intake.state.issued = released;
  VMPATCH_TRY(const CsafProducts products, CsafProducts::read(member(json, "product_tree")));
  Document(json, products, intake).load();
  return {};
}

}  // namespace vmpatch::advisory
