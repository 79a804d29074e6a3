#pragma once
// One statement against one version.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "advisory/statement.hpp"
#include "vmpatch/guest/versions.hpp"

namespace vmpatch::advisory {

/// In order of how bad it is, from `not_affected` on.
enum class Answer : std::uint8_t { silent, withdrawn, not_affected, investigating, affected };

/// An epoch of 0 is the same as none.
inline std::string_view without_zero_epoch(std::string_view version) {
  return version.starts_with("0:") ? version.substr(2) : version;
}

/// rpm: version and release alone.
inline std::string_view without_epoch(std::string_view version) {
  const auto colon = version.find(':');
  return colon == std::string_view::npos ? version : version.substr(colon + 1);
}

/// A version of a machine's package, with its number in the pool where a feed names it too.
struct Version {
  std::string text;
  std::optional<Text> number;
  std::optional<Text> number_without_epoch{};
  std::string stream{};      ///< module stream of the package, "perl:5.32"; "" = of none, or not told
  std::string shown{};       ///< for people, where it differs from what is compared
  bool has_known_epoch = true;  ///< false: of a source package of rpm whose epoch nothing tells; `text` has none then

  [[nodiscard]] const std::string& told() const { return shown.empty() ? text : shown; }
  /// The build system of modules puts its name into every release: a package without is of no stream.
  [[nodiscard]] bool is_of_untold_stream() const { return stream.empty() && text.find(".module") != std::string::npos; }
};

class Evaluator {
 public:
  Evaluator(const TextPool& texts, guest::VersionScheme scheme) : texts_(texts), scheme_(scheme) {}

  [[nodiscard]] Version version(const std::string& text) const {
    return {text, texts_.find(without_zero_epoch(text)), texts_.find(without_epoch(text))};
  }
  [[nodiscard]] int compare(const std::string& a, const std::string& b) const { return guest::compare_versions(scheme_, a, b); }

  /// Without epochs where the statement's distribution leaves them out, or the version's is not known.
  [[nodiscard]] int compare(const Version& version, const std::string& bound, const Statement& statement) const;

  /// Ranges: the evaluation algorithm of the OSV specification. A statement on a module stream is on packages of that stream alone,
  /// one on no stream says nothing of packages of any; of a package whose release says that it is of a module ("-51.module+el8"),
  /// and whose stream is not told, neither settles anything.
  [[nodiscard]] Answer answer(const Statement& statement, const Version& version) const;

  /// As if the package were of the statement's stream.
  [[nodiscard]] Answer answer_in_stream(const Statement& statement, const Version& version) const;

  /// Of several fixed versions in one document, each for a minor release of its own (el9_3, el9_4), whether `fix` is the one that
  /// counts for `version`: it is that version, or a lower one of the same minor release.
  [[nodiscard]] bool settles(const Statement& fix, const Version& version) const;

  /// The lowest fixed version above `version` that none of the statements calls affected; empty when there is none.
  [[nodiscard]] std::string lowest_fix(const std::vector<const Statement*>& statements, const Version& version) const;

  /// Why `version` is not affected.
  [[nodiscard]] std::string why_not(const Statement& statement, const Version& version) const;

 private:
  [[nodiscard]] bool lists(const Statement& statement, const Version& version) const;
  [[nodiscard]] bool is_beginning(const Event& event) const;
  [[nodiscard]] bool is_reached(const Event& event, const Statement& statement, const Version& version) const;
  [[nodiscard]] bool in_range(const Event* begin, const Event* end, const Statement& statement, const Version& version) const;
  [[nodiscard]] bool is_affected(const std::vector<const Statement*>& statements, const Version& version) const;
  [[nodiscard]] bool in_ranges(const Statement& statement, const Version& version) const;

  const TextPool& texts_;
  guest::VersionScheme scheme_;
};

}  // namespace vmpatch::advisory
