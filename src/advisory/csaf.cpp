#include "advisory/csaf.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <tuple>

#include "advisory/csaf_collected.hpp"
#include "advisory/csaf_products.hpp"
#include "advisory/csaf_remarks.hpp"
#include "advisory/cvss.hpp"
#include "advisory/evaluate.hpp"
#include "advisory/json_view.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {


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

/// Scope, name, kind, module stream, general.
using Key = std::tuple<Scope, std::string, CsafPackage::Kind, std::string, bool>;

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
  Document(const Json& json, const CsafProducts& products, CopyNumber copy, Intake& intake)
      : json_(json), products_(products), copy_(copy), intake_(intake), remarks_(member(json, "product_tree")),
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
    unread_.clear();
    modules_.clear();
    for (const auto& [list, word] : status_lists) {
      for (const auto& product : items_of(member(vulnerability, "product_status"), list)) collect(text_of(product), word);
    }
    find_missing_modules();
    for (auto& [key, what] : collected_) {
      what.finish(intake_.store.texts);
      if (what.is_cut_off && unread_.empty() && intake_.store.is_installed(std::get<1>(key))) unread_ = "names too many versions";
    }
    if (!puzzling_.empty()) intake_.skip(where, "the product '" + puzzling_ + "' is not understood");
    else if (!unread_.empty()) intake_.skip(where, unread_);
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

  void collect(const std::string& product, Word word) {
    const CsafMeaning& meaning = products_.meaning(product);
    if (meaning.kind != CsafMeaning::Kind::package) return puzzle(meaning, product);
    const CsafPackage* package = &meaning.package;
    // Without a release it is too little to call any release looked after.
    if (!package->general && !package->scope.release.empty()) intake_.store.cover(package->scope);
    if (!intake_.store.interesting(package->name)) return;
    CsafCollected& what = collected_[{package->scope, package->name, package->kind, package->module_stream, package->general}];
    std::optional<VersionRange> range;
    if (!package->version.empty()) {
      range = VersionRange{{}, {intake_.store.texts.intern(without_zero_epoch(package->version))}};
    } else if (!package->range.empty()) {
      range = parse_vers(package->range, intake_.store.texts);
      if (!range) {
        if (unread_.empty() && intake_.store.is_installed(package->name)) unread_ = "version range '" + package->range + "' is not understood";
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
        else if (word == Word::affected || !range->events.empty()) what.append(what.affected, *range);
        else add(word == Word::first_affected ? what.first : what.last, range->versions);
        break;
      case Word::not_affected:
        if (what.not_affected_note.empty()) what.not_affected_note = remarks_.not_affected(product);
        range ? what.append(what.not_affected, *range) : void(what.every_not_affected = true);
        break;
      case Word::fixed: what.add_fixed(range); break;
      case Word::recommended: remarks_.has_vendor_fix(product) ? what.add_fixed(range) : void(what.recommended = true); break;
      case Word::investigating: what.investigating = true; break;
    }
  }

  static void add(std::vector<Text>& all, const std::vector<Text>& more) { all.insert(all.end(), more.begin(), more.end()); }

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

  void state(const Key& key, CsafCollected& what) {
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
    base.copy = copy_;
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
    const bool says_nothing = what.says_nothing();
    const auto given = [](const VersionRange& range) { return !range.events.empty() || !range.versions.empty(); };
    for (const auto fixed : what.fixed) add(Claim::fixed_in, "", {}, fixed);
    // With a fixed version "affected" means what is older than it.
    if (what.every_affected && !what.is_fixed) add(Claim::open, what.affected_note);
    if (given(what.affected)) add(Claim::inside, what.affected_note, std::move(what.affected));
    if (what.every_not_affected) add(Claim::not_affected, what.not_affected_note);
    if (given(what.not_affected)) add(Claim::not_affected, what.not_affected_note, std::move(what.not_affected));
    if (what.investigating) add(Claim::investigating, what.is_cut_off ? "the document names too many versions" : "under investigation by the vendor");
    if (what.recommended && says_nothing) add(Claim::investigating, "a version is recommended, but no remediation says that it holds the fix");
    if (what.fixed_without_version && !what.is_fixed) add(Claim::investigating, "fixed, but the document names no version");
  }

  const Json& json_;
  const CsafProducts& products_;
  CopyNumber copy_;
  Intake& intake_;
  CsafRemarks remarks_;
  std::string id_;
  std::map<Key, CsafCollected> collected_;
  std::uint32_t number_ = 0;
  std::string puzzling_;  ///< the first product that matters and is not understood
  std::string unread_;    ///< the first part of a product that matters and is not understood
  std::map<Scope, std::string> modules_;  ///< the first one of each release that is named as a whole
};

const std::string& publisher_of(const Json& document) {
  const Json& publisher = member(document, "publisher");
  const std::string& name_space = text_of(publisher, "namespace");
  return name_space.empty() ? text_of(publisher, "name") : name_space;
}

/// Section 3.1.11: "7", or "1.2.3".
std::array<std::uint32_t, 3> version_of(std::string_view text) {
  std::array<std::uint32_t, 3> version{};
  const auto parts = split(text.substr(0, std::min(text.find_first_of("-+"), std::size_t{64})), '.');
  for (std::size_t i = 0; i < parts.size() && i < version.size(); ++i) {
    static_cast<void>(std::from_chars(parts[i].data(), parts[i].data() + parts[i].size(), version[i]));
  }
  return version;
}

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
  const auto copy = intake.store.begin(FeedKind::csaf, publisher_of(document), text_of(tracking, "id"), {released, version_of(text_of(tracking, "version"))});
  if (copy) {
    Document(json, products, *copy, intake).load();
  } else {
    intake.state.records += items_of(json, "vulnerabilities").size();
  }
  return {};
}

}  // namespace vmpatch::advisory
