#pragma once
// What reading works with. Built once by whoever reads; shared by readings side by side.

#include <filesystem>
#include <string_view>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/log.hpp"
#include "vmpatch/guest/opener.hpp"
#include "vmpatch/inventory/source.hpp"
#include "vmpatch/ledger/facts_cache.hpp"

namespace vmpatch::reading {

namespace fs = std::filesystem;

/// Told what a reading or a run does, from its own thread. Calls are short; implementations are thread-safe.
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

/// Folders.
struct Places {
  fs::path logs;     ///< one log a run, kept; and one of all readings. In the state directory, 0700
  fs::path cache;    ///< appliance, accelerator answer
  fs::path scratch;  ///< sockets and worker folders
};

struct Environment {
  guest::GuestOpener& opener;
  const Clock& clock;
  Log& log;
  Observer& observer;
  Places places;
  ledger::FactsCache* facts_cache = nullptr;  ///< null: facts are neither looked up nor kept
  std::vector<fs::path> allowed_dirs;         ///< for backing files: pools, policy, --allow-backing
};

}  // namespace vmpatch::reading
