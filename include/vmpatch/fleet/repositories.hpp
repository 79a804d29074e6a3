#pragma once
// Package repositories of the configuration, asked about machines.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "vmpatch/fleet/invocation.hpp"
#include "vmpatch/policy/policy.hpp"
#include "vmpatch/reading/inspect.hpp"
#include "vmpatch/repository/repository.hpp"

namespace vmpatch::fleet {

/// What repositories would change on one machine.
struct MachineUpdate {
  guest::Facts facts;
  repository::Snapshot snapshot;
  repository::Update update;
  std::optional<Error> obstacle;  ///< why it is not applied: the machine, its guest, or an update that is for a human
};

class Repositories {
 public:
  /// `policy` and `log` outlive it. Errors: usage (none is configured, or one of a type that is not supported yet).
  static Result<Repositories> make(const Invocation& invocation, const policy::Policy& policy, Log& log);

  /// The configured ones of these names, all where none is named. Errc::usage: an unknown name, with those that there are.
  [[nodiscard]] Result<std::vector<repository::Source>> named(const std::vector<std::string>& names) const;

  /// Asks the servers of all configured repositories. One that fails fails the machines that it is for: what was accepted
  /// before is not used in its place, since that is how updates are held back.
  void refresh();

  /// What was accepted last for this system; looked up once, not for each machine. For several threads at once. Errors: not_found (no repository is for it, none of security updates in that mode, or one was never
  /// fetched), refused (one is of another release), untrusted (expired, or its configuration changed).
  Result<repository::Snapshot> snapshot_for(const guest::OsRelease& os, repository::Mode mode);

  /// Reads the machine (from the cache where its disks did not change, unless `fresh`) and resolves. Errors: those of reading, of
  /// snapshot_for() and of repository::Repositories::resolve().
  Result<MachineUpdate> update_of(const reading::Environment& environment, const inventory::Machine& machine, const repository::Rules& rules, bool fresh);

  [[nodiscard]] repository::Repositories& port() { return *port_; }

 private:
  Repositories(const policy::Policy& policy, std::unique_ptr<repository::Repositories> port, const Clock& clock, Log& log)
      : policy_(&policy), clock_(&clock), log_(&log), port_(std::move(port)) {}
  Result<repository::Snapshot> load_snapshot(const guest::OsRelease& os, repository::Mode mode);

  struct Loaded {
    std::mutex mutex;
    std::map<std::tuple<std::string, std::string, repository::Mode>, Result<repository::Snapshot>> snapshots;  ///< by what asks for them
  };
  const policy::Policy* policy_;
  const Clock* clock_;
  Log* log_;
  std::map<std::string, Error> failed_;  ///< by name, of refresh()
  std::unique_ptr<Loaded> loaded_ = std::make_unique<Loaded>();
  std::unique_ptr<repository::Repositories> port_;
};

}  // namespace vmpatch::fleet
