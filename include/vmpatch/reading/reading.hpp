#pragma once
// A guest of which nothing is written.

#include <memory>
#include <optional>
#include <vector>

#include "vmpatch/core/unique_fd.hpp"
#include "vmpatch/image/block_server.hpp"
#include "vmpatch/reading/disks.hpp"
#include "vmpatch/reading/environment.hpp"
#include "vmpatch/reading/scratch.hpp"

namespace vmpatch::reading {

/// A guest opened for reading with everything under it.
class Reading {
 public:
  static Result<Reading> open(const Environment& environment, const inventory::Machine& machine);
  [[nodiscard]] guest::Guest& guest() { return *guest_; }
  [[nodiscard]] const guest::Facts& facts() const { return facts_; }
  [[nodiscard]] const std::vector<OpenDisk>& disks() const { return disks_; }
  /// Orderly end; identity of the disks must not have moved while they were read (Errc::busy otherwise).
  Result<void> finish();

 private:
  explicit Reading(Scratch scratch) : scratch_(std::move(scratch)) {}
  Scratch scratch_;
  UniqueFd log_;
  std::vector<OpenDisk> disks_;
  std::vector<image::ChainLock> locks_;
  Identities before_;
  std::optional<image::BlockServer> server_;
  std::unique_ptr<guest::Guest> guest_;
  guest::Facts facts_;
};

/// Facts with their order of messages: "reading the guest of NAME: …".
Result<guest::Facts> read_guest_facts(guest::Guest& guest, const inventory::Machine& machine);

}  // namespace vmpatch::reading
