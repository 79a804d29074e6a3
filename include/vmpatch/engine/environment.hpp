#pragma once
// What the engine works with. Built once by the composition root; shared by runs side by side.

#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "vmpatch/inventory/control.hpp"
#include "vmpatch/ledger/gate_view.hpp"
#include "vmpatch/ledger/store.hpp"
#include "vmpatch/policy/policy.hpp"
#include "vmpatch/proof/boot.hpp"
#include "vmpatch/reading/environment.hpp"
#include "vmpatch/recipe/bundle.hpp"

namespace vmpatch::engine {

namespace fs = std::filesystem;

/// What runs keep: folders in the state directory, 0700.
struct RunPlaces {
  fs::path runs;  ///< overlays and payload disks of runs under way
  fs::path undo;  ///< undo images of finished runs
  fs::path keys;  ///< this host's attestation keys
  fs::path attestation_key;  ///< the private key that signs; by default KEYS/attest
};

/// Whether a patched machine is started before its disks are written, and how long it may take until it is up.
struct BootRule {
  policy::BootProof proof = policy::BootProof::never;
  Seconds timeout{300};
};

struct Environment : reading::Environment {
  RunPlaces run_places;
  ledger::Store& store;
  ledger::CustodyStore& custody;
  const recipe::PayloadStore& payloads;
  std::uint64_t space_reserve = 0;  ///< bytes that must stay free where the state directory lies
  /// Reads one machine again from its source, with lineage.
  std::function<Result<inventory::Machine>(const inventory::Machine&)> reread;
  /// Every machine of this computer that names one of these images, read afresh with lineage, and the images themselves as bare
  /// machines. Errc::busy: who uses them cannot be told now.
  std::function<Result<std::vector<inventory::Machine>>(const std::vector<inventory::BareImage>&)> users_of;
  /// Gives a machine of libvirt other image files: inventory::Control::move_disks().
  std::function<Result<void>(const inventory::Machine&, const std::vector<inventory::DiskMove>&)> move_disks;
  /// Called around every durable transition of a run, with "before" or "after" and the state's name, and with "during" "committing" when the
  /// disks of an apply or a rollback have just been written; with "during" "booting" when a boot proof's QEMU runs; with "during" "publishing"
  /// when the files of a new version have their names and no machine has them yet, and with "during" "published" when it has. The crash test kills here, and an
  /// error is one of this transition.
  std::function<Result<void>(std::string_view when, std::string_view state)> on_transition;
  /// Who may sign recipes now. Recipes that were attested before are verified by it again; an empty one drops them.
  trust::Keyring keyring{};
  /// Empty: no machine is started.
  std::function<BootRule(const inventory::Machine&)> boot_rule{};
  /// proof::boot().
  std::function<Result<proof::BootReport>(const proof::BootRequest&)> boot{};
};

}  // namespace vmpatch::engine
