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

/// A version of a machine's package, with its number in the pool where a feed names it too.
struct Version {
  std::string text;
  std::optional<Text> number;
  std::string stream{};  ///< module stream of the package, "perl:5.32"; "" = of none, or not told
};

class Evaluator {
 public:
  Evaluator(const TextPool& texts, guest::VersionScheme scheme) : texts_(texts), scheme_(scheme) {}

  [[nodiscard]] Version version(const std::string& text) const { return {text, texts_.find(without_zero_epoch(text))}; }
  [[nodiscard]] int compare(const std::string& a, const std::string& b) const { return guest::compare_versions(scheme_, a, b); }

  /// Ranges: the evaluation algorithm of the OSV specification. A statement on a module stream is on packages of that stream alone;
  /// of a package whose release says that it is of a module ("-51.module+el8"), and whose stream is not told, it settles nothing.
  [[nodiscard]] Answer answer(const Statement& statement, const Version& version) const;

  /// As if the package were of the statement's stream.
  [[nodiscard]] Answer answer_in_stream(const Statement& statement, const Version& version) const;

  /// The lowest fixed version above `version` that none of the statements calls affected; empty when there is none.
  [[nodiscard]] std::string lowest_fix(const std::vector<const Statement*>& statements, const Version& version) const;

  /// Why `version` is not affected.
  [[nodiscard]] std::string why_not(const Statement& statement, const Version& version) const;

 private:
  [[nodiscard]] bool at_least(const Version& version, Text bound) const;
  [[nodiscard]] bool is_beginning(const Event& event) const;
  [[nodiscard]] bool in_range(const Event* begin, const Event* end, const Version& version) const;
  [[nodiscard]] bool in_ranges(const Statement& statement, const Version& version) const;

  const TextPool& texts_;
  guest::VersionScheme scheme_;
};

}  // namespace vmpatch::advisory
