#pragma once
// The disks of one machine, opened through the one door, and read-only reading of its guest.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/scratch.hpp"
#include "vmpatch/core/unique_fd.hpp"
#include "vmpatch/engine/environment.hpp"
#include "vmpatch/image/block_server.hpp"
#include "vmpatch/image/locks.hpp"

namespace vmpatch::engine {

struct OpenDisk {
  std::string target;
  fs::path source;  ///< as the machine names it: /dev/vg/web01 lasts, the /dev/dm-3 behind it does not
  image::Chain chain;
};

/// Every disk that the machine can write, in the order of its XML. Refused when there is none.
Result<std::vector<OpenDisk>> open_disks(const inventory::Machine& machine, const std::vector<fs::path>& allowed_dirs);

using Identities = std::map<std::string, image::DiskIdentity>;
Result<Identities> identify(const std::vector<OpenDisk>& disks);
Json to_json(const Identities& identities);
Result<Identities> identities_from_json(const Json& json);
/// Empty when all match; else the first difference, with the disk's name.
std::string first_difference(const Identities& before, const Identities& now);

/// `nobody` before writing: then not even a reader of a top layer is tolerated.
Result<std::vector<image::ChainLock>> lock_disks(const std::vector<OpenDisk>& disks, image::Sharing sharing);

/// A guest opened for reading with everything under it.
class Reading {
 public:
  static Result<Reading> open(const ReadEnvironment& environment, const inventory::Machine& machine);
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

}  // namespace vmpatch::engine
