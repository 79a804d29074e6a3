#pragma once
// The gate's small window: reads the ledger read-only, keeps custody records in an own file (custody.sqlite) so that a hook
// never waits for a writer of the ledger.

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/ledger/records.hpp"

namespace vmpatch::ledger {

struct GateFacts {
  std::optional<Attestation> attestation;  ///< without envelope
  /// One that is not final, of the machine or over one of its disks. Of several the one that forbids most: first one that writes
  /// or may have written a disk, then one whose process lives, then one that holds, then the newest.
  std::optional<Run> unfinished_run;
  /// Some run, of whatever machine, writes disks or may have left them between old and new; its id.
  std::optional<std::string> torn_run;
  std::vector<Override> overrides;         ///< neither used nor expired
  Json policy;                             ///< as published; null = never published
  Json policy_origin;
};

/// Answers for many machines over one connection. Not for several threads at once.
class GateReader {
 public:
  /// Errc::not_found when there is no ledger. Errc::untrusted, here and in facts(), when its records are not what its chain says, or
  /// the chain is not what its anchor says.
  static Result<std::unique_ptr<GateReader>> open(const std::filesystem::path& ledger);
  virtual ~GateReader() = default;
  /// One snapshot: what changes together is seen together.
  /// `disks`: durable keys of the machine's disks and of what they stand on, see Run::disks.
  virtual Result<GateFacts> facts(const std::string& machine_uuid, const std::vector<std::string>& disks, Time now) = 0;
  /// GateFacts::policy alone, for who does not know the disks yet.
  virtual Result<Json> policy() = 0;
  /// Whether any run of this ledger is unfinished: else nobody needs to know a machine's disks for facts().
  virtual Result<bool> has_unfinished_runs() = 0;
};

/// For one machine. Errc::not_found when there is no ledger.
Result<GateFacts> read_gate_facts(const std::filesystem::path& ledger, const std::string& machine_uuid,
                                  const std::vector<std::string>& disks, Time now);

/// The life of one allowed start.
struct Custody {
  std::string machine_uuid;
  std::string boot_id;
  Time opened{};
  bool started = false;
  std::optional<Time> closed;
  /// Of the disks of its definition: at opening; when closed: the last ones. What the next cold start has to find.
  Json identities;
  /// Of all disks as the allowed start found them, where that is not `identities` (a restore brings back disks that were plugged
  /// into the running machine, and lacks what was pulled out of it); else null.
  Json live;
  std::string operation;  ///< prepare, restore or started (a snapshot revert that was first seen there)
  /// Every change of the disks since the last attestation happened under an unbroken custody. An override or a group without
  /// baseline lets a machine start, but does not make this true.
  bool unbroken = false;
  /// Attestation::time of the newest attestation when it was opened: it comes after that one, whatever the clock said since.
  std::optional<Time> attested = {};
  /// Started, but the end was never seen (host crash, hook missing for a while): `release` does not close it any more.
  bool lost = false;
};

/// What `restore` allowed, until the `prepare` that follows takes it over. libvirt calls `restore` for a machine that runs, too,
/// before it refuses that: the custody of what runs stays as it is.
struct PendingRestore {
  Custody custody;  ///< not started; its time is that of the decision
  std::optional<std::string> override_id;  ///< used up by that `prepare`
};

/// The disks as a machine left them when it ended, with its memory saved perhaps.
struct SavedMemory {
  Json identities;  ///< null: some disk could not be read then
  Time time{};
  /// Positively known that memory was saved then, and no start was seen since: there may be memory somewhere, in a file of
  /// `virsh save` that libvirt forgets, that belongs to these disks.
  bool memory = false;
  bool managed = false;  ///< it went into libvirt's managed-save file, of which libvirt itself tells; only with `memory`
  /// Positively known that none was saved then: what a file of an earlier save holds belongs to older disks.
  bool without_memory = false;
  /// Memory that was saved to a file until then was thrown away, as an operator said.
  std::optional<Time> forgotten = {};
};

struct Rescan {
  std::string machine_uuid;
  std::string reason;
  Time time{};
};

struct CustodyOptions {
  int busy_timeout_ms = 5000;
  bool create = true;      ///< false: a missing file is Errc::not_found, or untrusted when the anchor knows of it
  bool checkpoint = true;  ///< false: leave copying the WAL back to somebody with more time
};

/// Errc::untrusted in every method when the records are not what their chain says, or the chain is not what its anchor says.
class CustodyStore {
 public:
  static Result<std::unique_ptr<CustodyStore>> open(const std::filesystem::path& file,
                                                    const CustodyOptions& options = {});
  virtual ~CustodyStore() = default;
  /// Every call that `work` makes is one transaction: all or nothing, durable on return.
  virtual Result<void> together(const std::function<Result<void>()>& work) = 0;
  virtual Result<std::optional<Custody>> last(const std::string& machine_uuid) = 0;
  /// Replaces the machine's record. Durable on return.
  virtual Result<void> put(const Custody& custody) = 0;
  /// One a machine; each replaces the one before. Durable on return.
  virtual Result<void> put_restore(const PendingRestore& restore) = 0;
  virtual Result<std::optional<PendingRestore>> restore(const std::string& machine_uuid) = 0;
  virtual Result<void> drop_restore(const std::string& machine_uuid) = 0;
  /// One a machine; each replaces the one before. Every end of a run puts one: libvirt does not always say whether memory was saved.
  virtual Result<void> put_saved(const std::string& machine_uuid, const SavedMemory& saved) = 0;
  virtual Result<std::optional<SavedMemory>> saved(const std::string& machine_uuid) = 0;
  /// There is no such memory any more: clears SavedMemory::memory, with a row "gate.forget-save" that has the reason. The
  /// identities stay. Without the flag nothing happens, and there is no row.
  virtual Result<void> forget_memory(const std::string& machine_uuid, const std::string& reason, Time time) = 0;
  /// An operator says so, of memory that was saved until `until`, whoever knows of it: sets SavedMemory::forgotten too, with the same
  /// row, always.
  virtual Result<void> throw_memory_away(const std::string& machine_uuid, Time until, const std::string& reason, Time time) = 0;
  /// By machine UUID.
  virtual Result<std::map<std::string, SavedMemory>> all_saved() = 0;
  /// A decision or an event of the hook, appended to a hash chain of its own (audit verify checks both).
  virtual Result<void> record(const std::string& action, const std::string& subject, const Json& data, Time time) = 0;
  /// As Store::audit_rows().
  virtual Result<std::vector<AuditRow>> records(std::int64_t first, std::size_t limit) = 0;
  /// As Store::verify_audit().
  virtual Result<std::int64_t> verify() = 0;
  /// An override is used once: success for the first caller only, Errc::refused afterwards.
  virtual Result<void> use_override(const std::string& override_id, Time time) = 0;
  virtual Result<std::vector<std::string>> used_overrides() = 0;
  /// Machines whose identity changed without attestation: to be read again by `vm-patch scan` or `verify`.
  virtual Result<void> queue_rescan(const std::string& machine_uuid, const std::string& reason, Time time) = 0;
  /// Oldest first. An entry is done when the machine has an attestation that is newer.
  virtual Result<std::vector<Rescan>> rescans() = 0;
};

}  // namespace vmpatch::ledger
