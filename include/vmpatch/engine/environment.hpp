#pragma once
// What the engine works with. Built once by the composition root; shared by runs side by side.

#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/log.hpp"
#include "vmpatch/guest/opener.hpp"
#include "vmpatch/inventory/source.hpp"
#include "vmpatch/ledger/facts_cache.hpp"
#include "vmpatch/ledger/gate_view.hpp"
#include "vmpatch/ledger/store.hpp"
#include "vmpatch/recipe/bundle.hpp"

namespace vmpatch::engine {

namespace fs = std::filesystem;

/// Told what a run does, from the run's own thread. Calls are short; implementations are thread-safe.
class Observer {
 public:
  virtual ~Observer() = default;
  /// A new step of one machine, e.g. "launching the appliance".
  virtual void step(const inventory::Machine& machine, std::string_view text) = 0;
  /// Bytes of the current step; total 0 = unknown.
  virtual void progress(const inventory::Machine& machine, std::uint64_t done, std::uint64_t total) = 0;
};

class NullObserver final : public Observer {
 public:
  void step(const inventory::Machine&, std::string_view) override {}
  void progress(const inventory::Machine&, std::uint64_t, std::uint64_t) override {}
};

/// Folders. All but scratch and cache lie in the state directory and are 0700.
struct Places {
  fs::path runs;     ///< overlays and payload disks of runs under way
  fs::path undo;     ///< undo images of finished runs
  fs::path logs;     ///< one log a run; kept
  fs::path keys;     ///< this host's attestation keys
  fs::path cache;    ///< appliance, accelerator answer
  fs::path scratch;  ///< sockets and worker folders
  fs::path attestation_key;  ///< the private key that signs; by default KEYS/attest
};

/// What reading needs.
struct ReadEnvironment {
  guest::GuestOpener& opener;
  const Clock& clock;
  Log& log;
  Observer& observer;
  Places places;
  ledger::FactsCache* facts_cache = nullptr;  ///< null: facts are neither looked up nor kept
  std::vector<fs::path> allowed_dirs;         ///< for backing files: pools, policy, --allow-backing
};

struct Environment : ReadEnvironment {
  ledger::Store& store;
  ledger::CustodyStore& custody;
  const recipe::PayloadStore& payloads;
  std::uint64_t space_reserve = 0;  ///< bytes that must stay free where the state directory lies
  /// Reads one machine again from its source, with lineage.
  std::function<Result<inventory::Machine>(const inventory::Machine&)> reread;
  /// Every machine of this computer that names one of these images, read afresh with lineage, and the images themselves as bare
  /// machines. Errc::busy: who uses them cannot be told now.
  std::function<Result<std::vector<inventory::Machine>>(const std::vector<inventory::BareImage>&)> users_of;
  /// Called around every durable transition of a run, with "before" or "after" and the state's name, and with "during" "committing" when the
  /// disks of an apply or a rollback have just been written. The crash test kills here, and an
  /// error is one of this transition.
  std::function<Result<void>(std::string_view when, std::string_view state)> on_transition;
  /// Who may sign recipes now. Recipes that were attested before are verified by it again; an empty one drops them.
  trust::Keyring keyring{};
};

}  // namespace vmpatch::engine
