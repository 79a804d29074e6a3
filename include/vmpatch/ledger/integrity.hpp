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
  /// Keys of records that something else than vm-patch wrote, changed, or took away.
  std::vector<std::string> broken = {};
  /// False: what seals the records does not hold itself, so that none of them can be told from a forged one.
  bool sealed = true;
  std::vector<std::string> warnings;  ///< what does not make the records worse, and somebody should see to
  /// There is nothing that could be believed: the file is gone or cannot be read. Only forgetting it leads on, or a backup.
  bool lost = false;
};

/// Whether there is a database, or the anchor knows of one.
[[nodiscard]] bool has_records(const std::filesystem::path& state_dir);

/// Of the databases that there are, or that the anchor knows; ledger first. Nothing is changed.
/// Errors: failed (one cannot be read at all).
Result<std::vector<Examined>> examine_records(const std::filesystem::path& state_dir);

/// Moves the anchor on to the newest rows, where it stayed behind (a process was killed, or could not write it), and says that and what
/// else is not as it should be with it, a sentence each. Of databases that hold; what is wrong with others examine_records() says.
std::vector<std::string> tend_anchor(const std::filesystem::path& state_dir);

struct Acceptance {
  std::string reason;
  /// Chains ("ledger", "gate") that begin again without any record. What is there of their files is set aside as FILE.forgotten-N.
  std::vector<std::string> forget = {};
};

/// Makes what is there the truth, for an operator who has restored a backup or knows better: what does not belong to the schema is
/// dropped, the records are sealed as they are, an audit row says so with the reason and every problem, and the anchor begins anew.
/// Databases without problems get no such row. Overrides of before are void in any case, since what tells of their use may be gone,
/// and where there is no policy, every start is denied until one is published.
/// Value: what examine_records() said before. Errors, after which it can be tried again: refused (what cannot be read, or not believed as it
/// is, and is not named in `forget`; a name in `forget` whose records hold; the folder of a run that the records would not know of, or
/// as ended; an anchor that cannot be replaced).
Result<std::vector<Examined>> accept_records(const std::filesystem::path& state_dir, const Acceptance& acceptance, const Clock& clock);

}  // namespace vmpatch::ledger
