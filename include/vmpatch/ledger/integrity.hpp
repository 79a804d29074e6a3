#pragma once
// Whether the records of a state directory are what their chains and their anchor say, all of them, and the way out when not.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/ledger/anchor.hpp"
#include "vmpatch/ledger/records.hpp"

namespace vmpatch::ledger {

/// One database, every row of it.
struct Examined {
  std::string chain;  ///< "ledger" or "gate"
  std::filesystem::path file;
  std::int64_t rows = 0;
  Head newest;                   ///< last row of the chain
  std::optional<Head> anchored;  ///< what the anchor knows
  /// Rows of accept_records(), oldest first. What was before the last of them is not looked at: somebody has answered for it.
  std::vector<AuditRow> accepted;
  std::vector<std::string> problems;  ///< a sentence each; empty = everything holds
};

/// Whether there is a database, or the anchor knows of one.
[[nodiscard]] bool has_records(const std::filesystem::path& state_dir);

/// Of the databases that there are, or that the anchor knows; ledger first. Nothing is changed.
/// Errors: failed (one cannot be read at all).
Result<std::vector<Examined>> examine_records(const std::filesystem::path& state_dir);

/// Makes what is there the truth, for an operator who has restored a backup or knows better: what does not belong to the schema is
/// dropped, the records are sealed as they are, an audit row says so with the reason and every problem, and the anchor begins anew.
/// Databases without problems get no row. Value: what examine_records() said before. Errors: refused (a table has another form than
/// ours, so that its records cannot be read).
Result<std::vector<Examined>> accept_records(const std::filesystem::path& state_dir, const std::string& reason, const Clock& clock);

}  // namespace vmpatch::ledger
