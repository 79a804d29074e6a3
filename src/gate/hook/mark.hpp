#pragma once
// What the hook knows of a start that is under way, in /run: one file a machine, written in no time and without a database that
// somebody may hold. `started` needs nothing else to let a cold boot go on; what `stopped` sees, and an end that could not be
// recorded, waits here for the next call.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::gate {

/// The disks when `release` looked at them.
struct End {
  Time time{};
  Json identities;
  std::vector<std::string> unread;  ///< targets of disks that it could not look at
  bool unseen = false;              ///< no libvirt daemon was there when the machine ended: who wrote to the disks since is not known
};

struct Mark {
  Time opened{};         ///< of the custody that `prepare` opened; the epoch when it opened none
  bool started = false;  ///< `started` came
  /// What `stopped` saw: that memory had been saved, or that none had been. Nothing: it did not see.
  std::optional<bool> memory = {};
  bool managed = false;  ///< into libvirt's managed-save file
  std::string daemon;    ///< calling_daemon() of the newest call while the machine ran; empty: not known
  std::optional<End> end;
};

/// RUN/vm-patch-gate/UUID, 0600 in a folder 0700 that is ours alone: a folder that others may write is as good as none.
class MarkFile {
 public:
  MarkFile(const std::filesystem::path& run_dir, std::string uuid, std::string boot_id);
  /// Nothing, too, where it cannot be read or is of another boot.
  [[nodiscard]] std::optional<Mark> load() const;
  Result<void> put(const Mark& mark) const;
  void drop() const;

 private:
  std::filesystem::path folder_;
  std::string uuid_;
  std::string boot_id_;
};

}  // namespace vmpatch::gate
