#pragma once
// Everything that was loaded: vulnerabilities, joined by id and alias, and the statements on each package name.

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "advisory/statement.hpp"

namespace vmpatch::advisory {

/// One rating of a vulnerability. The highest of the best grade counts.
struct Rating {
  enum class Grade : std::uint8_t { none, bundle, word, cvss };  ///< bundle: of an erratum for several vulnerabilities
  Grade grade = Grade::none;
  Severity severity = Severity::unknown;
  double score = 0;     ///< only with a CVSS
  std::string source;   ///< "CVSS 3.1 9.8 (osv)"
};

/// How a record names what it is about.
struct RecordIds {
  std::string record;                ///< its own
  std::vector<std::string> cves;     ///< every CVE that it is about
  std::vector<std::string> aliases;  ///< further names of the same vulnerability
};

/// When a copy of a record was made. Later is greater.
struct Stamp {
  std::optional<Time> changed;
  std::array<std::uint32_t, 3> version{};  ///< "1.2.3", "7"; zeros where there is none
  auto operator<=>(const Stamp&) const = default;
};

/// What KEV says of a vulnerability.
struct Exploitation {
  std::optional<Time> since;
  bool ransomware = false;
};

[[nodiscard]] bool is_cve(std::string_view text);
/// Of a length and in characters that ids have; nothing else is taken as one.
[[nodiscard]] bool is_record_id(std::string_view text);

class Store {
 public:
  explicit Store(Interest interest) : interest_(std::move(interest)) {}

  TextPool texts;

  [[nodiscard]] bool interesting(std::string_view package) const {
    return interest_.everything || interest_.packages.find(package) != interest_.packages.end();
  }

  /// Whether leaving out a statement on the package may make an answer about a machine wrong.
  [[nodiscard]] bool is_installed(std::string_view package) const {
    return interest_.packages.empty() ? interest_.everything : interest_.packages.find(package) != interest_.packages.end();
  }

  /// One vulnerability for each CVE, or one for the record when it knows none. Numbers stay valid; they are not unique: see root().
  std::vector<std::uint32_t> vulnerabilities(const RecordIds& ids);
  void describe(std::uint32_t number, std::string_view summary, std::optional<Time> published);
  void rate(std::uint32_t number, const Rating& rating);
  /// Null when nothing named it.
  [[nodiscard]] Advisory* known(std::string_view id);
  /// Database::find_all().
  [[nodiscard]] std::vector<std::shared_ptr<const Advisory>> find_all(std::string_view id) const;

  /// Before the statements of a record, whatever it is about: the newest copy of one kind, publisher and id replaces all others,
  /// whichever comes first. Nothing: a newer copy is here, this one says nothing. Copies of one age, and those that do not tell
  /// theirs, stand side by side.
  [[nodiscard]] std::optional<CopyNumber> begin(FeedKind kind, std::string_view publisher, std::string_view id, const Stamp& stamp);
  /// A record of OSV's that is about nothing that is asked for, and is not read further: it replaces older copies all the same.
  void pass_over(std::string_view id, Time changed);
  [[nodiscard]] bool has_copy(FeedKind kind, std::string_view publisher, std::string_view id) const;

  void add(std::string_view package, Statement statement);
  /// Kept for vulnerabilities that come later, too. True when it is known already.
  bool exploit(const std::string& cve, const Exploitation& exploitation);
  void cover(const Scope& scope) { covered_.insert(scope); }

  /// After each feed: orders the statements of each package by vulnerability.
  void finish();

  /// Ordered by `advisory`, which is a root.
  [[nodiscard]] std::span<const Statement> statements(std::string_view package) const;
  [[nodiscard]] std::shared_ptr<const Advisory> advisory(std::uint32_t root) const { return nodes_[root].advisory; }
  /// Position among all vulnerabilities, ordered by id.
  [[nodiscard]] std::uint32_t order(std::uint32_t root) const { return nodes_[root].order; }
  [[nodiscard]] const std::set<Scope>& covered() const { return covered_; }

 private:
  struct Node {
    std::shared_ptr<Advisory> advisory;
    std::uint32_t parent = 0;
    std::uint32_t order = 0;
    Rating::Grade grade = Rating::Grade::none;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  template <class Value>
  using Map = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;

  struct Copy {
    Stamp stamp;
    CopyNumber number = no_copy;
  };
  static void exploit(Advisory& advisory, const Exploitation& exploitation);
  void drop_replaced();

  [[nodiscard]] std::uint32_t root(std::uint32_t number) const;
  std::uint32_t node(const std::string& id);
  void add_alias(std::uint32_t number, const std::string& alias);
  void share(const std::string& alias, const std::vector<std::uint32_t>& numbers);
  /// Two names of one vulnerability. Never joins two CVEs.
  void join(std::uint32_t number, const std::string& alias);

  Interest interest_;
  std::vector<Node> nodes_;
  Map<std::uint32_t> names_;
  Map<std::set<std::uint32_t>> shared_;  ///< names of several vulnerabilities: errata
  Map<std::vector<Statement>> packages_;
  std::set<Scope> covered_;
  std::set<std::string, std::less<>> unsorted_;
  Map<Copy> copies_;
  std::unordered_map<std::size_t, Time> passed_over_;  ///< by a hash of the id: most records of a feed are passed over
  std::vector<bool> is_replaced_{false};  ///< by number of the copy
  bool replaced_ = false;                 ///< some statements are to be dropped
  std::map<std::string, Exploitation> exploited_;
  bool joined_ = false;  ///< two vulnerabilities turned out to be one
};

/// One feed on its way into the store, with what is told about it afterwards.
struct Intake {
  Store& store;
  FeedState& state;

  /// A record that was not understood. `where` and `why` may quote the feed; they are escaped here.
  void skip(std::string_view where, std::string_view why);
  /// The same for a part of a record whose rest is used.
  void complain(std::string_view where, std::string_view why);
};

}  // namespace vmpatch::advisory
