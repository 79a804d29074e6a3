#pragma once
// The port to package repositories: what they offer, verified, and what it would change. One adapter a family of package managers.

#include <memory>
#include <vector>

#include "vmpatch/core/clock.hpp"
#include "vmpatch/core/log.hpp"
#include "vmpatch/guest/manager_files.hpp"
#include "vmpatch/recipe/bundle.hpp"
#include "vmpatch/repository/snapshot.hpp"
#include "vmpatch/repository/update.hpp"

namespace vmpatch::repository {

struct Places {
  fs::path state;    ///< what was seen is remembered in STATE/repositories, answers in STATE/answers
  fs::path cache;    ///< verified files, in CACHE/repositories
  fs::path scratch;  ///< folders of helper programs, 0711
};

class Repositories {
 public:
  virtual ~Repositories() = default;

  /// Asks the servers of all suites of this repository, verifies, and remembers what was accepted: all of a suite or nothing. Errors:
  /// untrusted with the attack's name (unsigned, wrong key, freeze, rollback, mix and match, another archive, …) and the evidence,
  /// failed, timeout, busy.
  virtual Result<std::vector<Suite>> refresh(const Source& source) = 0;

  /// What was accepted last. Errors: not_found (never refreshed), untrusted (it has expired, or a file of it is damaged), failed.
  virtual Result<std::vector<Suite>> load(const Source& source) = 0;

  /// False: nothing was known of it.
  virtual Result<bool> forget(const std::string& repository) = 0;

  /// Exactly what the guest's own package manager would do. Every change is in the snapshot's verified metadata, with its digest. What was answered
  /// before for all the same inputs is not asked again. For several threads at once, but not during refresh(). Errors:
  /// failed (dependencies of the guest are broken, its database cannot be read), unsupported, untrusted (the answer does not hold).
  virtual Result<Update> resolve(const guest::ManagerFiles& installed, const Snapshot& snapshot, const Rules& rules) = 0;

  /// Packages of an update that the store lacks, each once; a killed download goes on where it was. Errors: untrusted, failed, timeout.
  virtual Result<void> fetch(const Update& update, const std::vector<Source>& sources, recipe::PayloadStore& store) = 0;
};

/// Type::apt by libapt-pkg. `clock` and `log` outlive it.
Result<std::unique_ptr<Repositories>> make_apt_repositories(const Places& places, const Clock& clock, Log& log);

/// Those of the configuration that are for a system, in their order.
std::vector<Source> sources_for(const std::vector<Source>& all, const guest::OsRelease& os);

}  // namespace vmpatch::repository
