#pragma once
// PURE: operation + machine + ledger view + identities + time → verdict; src/gate/README.md has the rules. What a verdict leaves: custody.hpp.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vmpatch/image/identity.hpp"
#include "vmpatch/inventory/machine.hpp"
#include "vmpatch/ledger/gate_view.hpp"

namespace vmpatch::gate {

enum class Answer { allow, deny, quarantine, unassessable };
std::string_view to_string(Answer answer);

/// With this the hook ends where the gate denies, and only there: the installed script lets `started` fail on no other.
inline constexpr int denied_exit_code = 20;
/// What that script asks the hook to say in place of 0: a shell takes an empty or torn program for a script that succeeds.
inline constexpr int allowed_exit_code = 10;

struct Verdict {
  Answer answer = Answer::unassessable;
  std::string rule;    ///< stable word, see src/gate/README.md: "attested", "custody", "not-attested", "unattested-change", …
  std::string reason;  ///< one sentence
  std::string remedy;  ///< a command line or a sentence
  std::optional<std::string> group;
  std::optional<std::string> used_override;
};

enum class Operation { prepare, start, started, restore, migrate, stopped, release, reconnect, attach, other };
Operation parse_operation(std::string_view word);

struct Input {
  Operation operation = Operation::prepare;
  const inventory::Machine& machine;
  const ledger::GateFacts& facts;
  /// Identity of every writable disk by target, as found now.
  const std::map<std::string, image::DiskIdentity>& identities;
  const std::optional<ledger::Custody>& custody;
  /// What the last end left (`restore` only).
  const std::optional<ledger::SavedMemory>& saved;
  Time now{};
  std::string boot_id;
  bool holder_alive = true;  ///< whether the process of facts.unfinished_run lives (ledger::is_alive)
  bool running = false;      ///< positively known that its QEMU lives: libvirt calls `restore` for such a machine, too
  bool reverting = false;    ///< positively known that a snapshot was loaded (`started` only)
  /// What an earlier `restore` left, if anything.
  std::optional<ledger::PendingRestore> restore = {};
  /// DiskFacts::unknown.
  std::vector<std::string> unknown_disks = {};
};

/// What a run forbids, whatever policy and custody say; nullopt = nothing. Asks neither of the two.
std::optional<Verdict> forbidden_by_run(const Input& input);

/// Never fails; a disk that `identities` lacks has its reason in machine.disks[].problem; a policy that cannot be read or identities that are missing give `unassessable`, which counts as the group's
/// on_error says.
Verdict decide(const Input& input);

/// What ledger or custody says with Errc::untrusted: denied, whatever the group says.
Verdict records_tampered(const Error& error);

/// The group of the published policy that this machine is in; null JSON = none.
Json find_group(const Json& gate_policy, const inventory::Machine& machine);

/// True when the hook must exit non-zero. A null group counts as closed.
bool blocks(const Verdict& verdict, const Json& group);

/// Whether the disks as they are now go back to an attestation without a gap: they are what was attested, or what the last
/// unbroken custody since then left behind. `reason` says what else they are.
struct Lineage {
  bool holds = false;
  std::string rule;  ///< "attested", "custody"; else "not-attested", "unattested-change"
  std::string reason;
};
Lineage find_lineage(const Input& input);

}  // namespace vmpatch::gate
