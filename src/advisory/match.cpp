#include "advisory/match.hpp"

#include <algorithm>
#include <set>

#include "advisory/backport.hpp"
#include "advisory/resolve.hpp"
#include "advisory/units.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t most_binaries = 50;
constexpr std::size_t most_versions_told = 20;
// Some seconds. A machine with whole feeds needs a tenth of it.
constexpr std::uint64_t most_comparisons = 10'000'000;

class Matcher {
 public:
  Matcher(const Store& store, const Evaluator& evaluator, Scope machine)
      : store_(store), evaluator_(evaluator), machine_(std::move(machine)) {
    for (const auto& release : releases_for(machine_)) {
      if (const auto known = store.texts.find(release)) releases_.push_back(*known);
    }
  }

  Result<std::vector<Finding>> match(const guest::Facts& facts) {
    const std::vector<Unit> units = make_units(store_, evaluator_, facts);
    for (const auto& unit : units) {
      match(unit);
      if (comparisons_ > most_comparisons) return too_many(units);
    }
    // Units come by name, so that their order settles the rest. Findings are large: numbers are sorted in their place.
    std::sort(order_.begin(), order_.end());
    std::vector<Finding> result;
    result.reserve(findings_.size());
    for (const auto& [id, at] : order_) result.push_back(std::move(findings_[at]));
    return result;
  }

 private:
  static Error too_many(const std::vector<Unit>& units) {
    const auto most = std::max_element(units.begin(), units.end(), [](const Unit& a, const Unit& b) { return a.subjects.size() < b.subjects.size(); });
    return fail(Errc::unsupported, "its packages are too many to be compared with these feeds: '{}' alone is installed {} times in different versions",
                escape_untrusted(most->name.substr(0, 100)), most->subjects.size());
  }

  [[nodiscard]] bool applies(const Statement& statement) const {
    if (!fits(statement.distribution, machine_.distribution)) return false;
    return statement.release == 0 || std::find(releases_.begin(), releases_.end(), statement.release) != releases_.end();
  }

  /// The vulnerabilities that anything is said about, each once, in the order of the statements.
  static std::vector<std::uint32_t> vulnerabilities(const Unit& unit) {
    std::vector<std::uint32_t> all;
    const auto collect = [&](Statements statements) {
      for (const auto& statement : statements) {
        if (all.empty() || all.back() != statement.advisory) all.push_back(statement.advisory);
      }
    };
    collect(unit.statements);
    const std::size_t ordered = all.size();
    std::set<std::string_view> names;
    for (const auto& subject : unit.subjects) {
      if (names.insert(subject.own_name).second) collect(subject.own);
    }
    if (all.size() > ordered) {
      std::sort(all.begin(), all.end());
      all.erase(std::unique(all.begin(), all.end()), all.end());
    }
    return all;
  }

  /// Cuts the statements on `advisory` off the front of `rest`.
  static Statements take(Statements& rest, std::uint32_t advisory) {
    std::size_t start = 0;
    while (start < rest.size() && rest[start].advisory < advisory) ++start;
    std::size_t end = start;
    while (end < rest.size() && rest[end].advisory == advisory) ++end;
    const Statements taken = rest.subspan(start, end - start);
    rest = rest.subspan(end);
    return taken;
  }

  void match(const Unit& unit) {
    Statements shared = unit.statements;
    std::vector<Statements> own;
    for (const auto& subject : unit.subjects) own.push_back(subject.own);
    for (const auto advisory : vulnerabilities(unit)) {
      if (comparisons_ > most_comparisons) return;
      const Statements on_source = take(shared, advisory);
      Draft draft;
      std::vector<Statements> on_packages;
      for (auto& rest : own) on_packages.push_back(take(rest, advisory));
      find_mended(on_source, on_packages);
      for (std::size_t i = 0; i < unit.subjects.size(); ++i) judge(unit, unit.subjects[i], on_source, on_packages[i], draft);
      if (!draft.worst) continue;
      order_.emplace_back(store_.order(advisory), findings_.size());
      findings_.push_back(finish(unit, advisory, draft));
    }
  }

  struct Draft {
    const Subject* subject = nullptr;
    std::optional<Outcome> worst;
    std::vector<std::pair<const Subject*, Status>> judged;
    std::set<std::pair<FeedKind, Text>> sources;
  };

  /// SUSE leaves a source package in "known_affected" after its binary packages were fixed.
  void find_mended(Statements on_source, const std::vector<Statements>& on_packages) {
    const auto collect = [&](Statements statements, std::set<Text>& records) {
      for (const auto& statement : statements) {
        if (statement.claim == Claim::fixed_in && statement.distribution == Distribution::suse && applies(statement)) records.insert(statement.record);
      }
    };
    mended_.clear();
    mended_by_name_.clear();
    collect(on_source, mended_by_name_);
    for (const auto& statements : on_packages) collect(statements, mended_);
  }

  /// A package that has the source's name may be meant itself, unless a fix of that name is told.
  [[nodiscard]] bool is_left_over(const Statement& statement, const Unit& unit, const Subject& subject) const {
    if (statement.claim != Claim::open || statement.distribution != Distribution::suse || !mended_.contains(statement.record)) return false;
    return statement.naming == Naming::source || subject.own_name != unit.name || mended_by_name_.contains(statement.record);
  }

  void judge(const Unit& unit, const Subject& subject, Statements on_source, Statements on_package, Draft& draft) {
    applications_.clear();
    for (const auto& statement : on_source) {
      if (statement.naming == Naming::binary || !applies(statement) || is_left_over(statement, unit, subject)) continue;
      const Statement& judging = judging_statement(statement, on_source, subject, evaluator_, store_.texts);
      applications_.push_back({&judging, &judging == &statement ? &subject.source_version : &subject.origin});
    }
    for (const auto& statement : on_package) {
      // Where both have one name, a statement on either has been taken above.
      const bool taken = statement.naming == Naming::either && subject.own_name == unit.name;
      if (statement.naming != Naming::source && !taken && applies(statement)) applications_.push_back({&statement, &subject.own_version});
    }
    comparisons_ += 1 + applications_.size();
    if (applications_.empty()) return;
    auto outcome = resolve(applications_, evaluator_, store_.texts);
    if (!outcome) return;
    for (const auto& application : applications_) draft.sources.emplace(application.statement->kind, application.statement->record);
    draft.judged.emplace_back(&subject, outcome->status);
    if (draft.worst && !worse(outcome->status, draft.worst->status)) return;
    draft.worst = std::move(outcome);
    draft.subject = &subject;
  }

  static std::string other_versions(const Unit& unit, const Draft& draft) {
    std::string text;
    std::vector<bool> told(unit.subjects.size(), false);
    told[draft.subject->version_group] = true;
    std::size_t others = 0;
    for (const auto& [subject, status] : draft.judged) {
      if (told[subject->version_group]) continue;
      told[subject->version_group] = true;
      if (++others > most_versions_told) continue;
      text += fmt::format("{}{} ({})", text.empty() ? "; also installed: " : ", ", subject->source_version.text, to_string(status));
    }
    return others > most_versions_told ? fmt::format("{} and {} more versions", text, others - most_versions_told) : text;
  }

  /// A finding for each vulnerability with all packages of a machine would need gigabytes.
  static std::vector<std::string> binaries_of(const Draft& draft) {
    std::vector<const std::string*> all;
    for (const auto& [subject, status] : draft.judged) {
      for (const auto& binary : subject->binaries) all.push_back(&binary);
    }
    const auto told = static_cast<std::ptrdiff_t>(std::min(all.size(), most_binaries));
    std::partial_sort(all.begin(), all.begin() + told, all.end(), [](const auto* a, const auto* b) { return *a < *b; });
    std::vector<std::string> result;
    for (std::ptrdiff_t i = 0; i < told; ++i) result.push_back(*all[static_cast<std::size_t>(i)]);
    if (all.size() > most_binaries) result.push_back(fmt::format("and {} more", all.size() - most_binaries));
    return result;
  }

  [[nodiscard]] Finding finish(const Unit& unit, std::uint32_t advisory, Draft& draft) const {
    Finding finding;
    finding.advisory = store_.advisory(advisory);
    finding.package = unit.name;
    finding.installed = draft.worst->compared.empty() ? draft.subject->source_version.text : std::move(draft.worst->compared);
    finding.status = draft.worst->status;
    finding.fixed = std::move(draft.worst->fixed);
    finding.reason = std::move(draft.worst->reason);
    finding.reason += other_versions(unit, draft);
    finding.binaries = binaries_of(draft);
    for (const auto& [kind, record] : draft.sources) finding.sources.push_back(std::string(to_string(kind)) + ":" + store_.texts[record]);
    std::sort(finding.sources.begin(), finding.sources.end());
    return finding;
  }

  const Store& store_;
  const Evaluator& evaluator_;
  Scope machine_;
  std::vector<Text> releases_;  ///< those that a statement may be for
  std::vector<Application> applications_;
  std::uint64_t comparisons_ = 0;
  std::set<Text> mended_;  ///< records that name the fix of a package of the source
  std::set<Text> mended_by_name_;  ///< records that name a fix under the source's own name
  std::vector<Finding> findings_;
  std::vector<std::pair<std::uint32_t, std::size_t>> order_;
};

std::string covered_list(const Store& store) {
  std::string list;
  std::size_t count = 0;
  for (const auto& scope : store.covered()) {
    if (is_general(scope.distribution)) continue;
    if (++count > 8) return list + ", …";
    list += (list.empty() ? "" : ", ") + escape_untrusted(describe(scope));
  }
  return list.empty() ? "no distribution at all" : list;
}

/// Debian writes grub2 2.06-13+deb12u1 as grub-efi-amd64-signed 1+2.06+13+deb12u1.
SourcePackage source_of_signed_grub(SourcePackage source) {
  const auto prefix = source.version.find('+');
  const auto revision = prefix == std::string::npos ? prefix : source.version.find('+', prefix + 1);
  if (revision == std::string::npos) return source;
  std::string version = source.version.substr(prefix + 1);
  version[revision - prefix - 1] = '-';
  return {"grub2", std::move(version)};
}

}  // namespace

SourcePackage source_of(const guest::Package& package) {
  constexpr std::string_view signed_kernel = "linux-signed";
  SourcePackage source{package.source.empty() ? package.name : package.source,
                       package.source_version.empty() ? package.version : package.source_version};
  if (source.name.starts_with("grub-efi-") && source.name.ends_with("-signed")) return source_of_signed_grub(std::move(source));
  if (!source.name.starts_with(signed_kernel)) return source;
  std::string_view rest = std::string_view(source.name).substr(signed_kernel.size());
  for (const std::string_view architecture : {"-amd64", "-arm64", "-i386"}) {
    if (rest.ends_with(architecture)) rest.remove_suffix(architecture.size());
  }
  // Debian: linux-signed-6.1-amd64, Ubuntu: linux-signed-aws.
  if (rest.empty() || rest.starts_with('-')) return {"linux" + std::string(rest), package.version};
  return source;
}

Result<std::vector<Finding>> match_packages(const Store& store, const guest::Facts& facts) {
  const std::string os = escape_untrusted(facts.os.id + (facts.os.version_id.empty() ? "" : " " + facts.os.version_id));
  const auto machine = scope_of_machine(facts.os);
  if (!machine) return fail(Errc::unsupported, "no feed format names the operating system '{}'", os);
  auto scheme = guest::version_scheme(facts.package_manager);
  if (!scheme) return scheme.error().in("packages of " + os + " cannot be compared");
  if (facts.package_manager != package_manager_of(machine->distribution)) {
    return fail(Errc::unsupported, "os-release says {}, where {} keeps the packages, but those found are {}'s: no feed can be matched", os,
                package_manager_of(machine->distribution), escape_untrusted(facts.package_manager));
  }
  const bool spoken_of = std::any_of(store.covered().begin(), store.covered().end(), [&](const Scope& scope) {
    return !is_general(scope.distribution) && covers(scope, *machine);
  });
  if (!spoken_of) {
    return fail(Errc::unsupported, "no loaded feed speaks of {}; the feeds cover {}", os, covered_list(store));
  }
  const Evaluator evaluator(store.texts, *scheme);
  return Matcher(store, evaluator, *machine).match(facts);
}

}  // namespace vmpatch::advisory
