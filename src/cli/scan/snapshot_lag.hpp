#pragma once
// How far behind a machine would be after a revert.

#include "cli/scan/questions.hpp"

namespace vmpatch::cli {

/// More days behind first; those of which no date is known come after, before those that miss nothing.
bool is_further_behind(const report::Lag& a, const report::Lag& b);

/// All snapshots of one machine.
class SnapshotLags {
 public:
  SnapshotLags() = default;
  /// What cannot be assessed goes to `unassessable`.
  SnapshotLags(const fleet::Survey& survey, std::size_t machine, Unassessable& unassessable);
  /// "NAME (2026-11-01): 3 packages, 41 days" of the worst one; "-": there are none; says how many could not be assessed.
  [[nodiscard]] std::string text() const;
  /// {"snapshots": [{"name", "kind", "taken", "memory", "lag" (null: not assessed)}], "worst_snapshot": NAME or null}
  void add_to(Json& json) const;

 private:
  struct Entry {
    const inventory::Snapshot* snapshot;
    std::optional<report::Lag> lag;
  };
  [[nodiscard]] const Entry* worst() const;
  std::vector<Entry> entries_;
};

}  // namespace vmpatch::cli
