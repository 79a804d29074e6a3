#pragma once
// All that the lists of one vulnerability of a CSAF document say of one package name of one release.

#include <optional>
#include <string>
#include <vector>

#include "advisory/vers.hpp"

namespace vmpatch::advisory {

struct CsafCollected {
  bool every_affected = false;
  bool every_not_affected = false;
  bool investigating = false;
  bool fixed_without_version = false;
  bool is_fixed = false;     ///< in some version
  bool is_cut_off = false;   ///< names more versions than are kept
  bool recommended = false;  ///< a version, of which nothing says that it holds the fix
  VersionRange affected, not_affected;
  std::vector<Text> first, last;  ///< affected versions
  std::vector<Text> fixed;
  std::string affected_note, not_affected_note;

  /// `all`: affected or not_affected. Several products' ranges stay several ranges.
  void append(VersionRange& all, const VersionRange& more);
  void add_fixed(const std::optional<VersionRange>& range);

  /// Once everything is in: first and last affected versions become ranges; fixed versions are sorted. What is cut off is investigated.
  void finish(TextPool& texts);

  /// No list says that any version is affected, not affected or fixed.
  [[nodiscard]] bool says_nothing() const;

 private:
  void append_bounded(TextPool& texts);
};

}  // namespace vmpatch::advisory
