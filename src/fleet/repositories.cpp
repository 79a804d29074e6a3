#include "vmpatch/fleet/repositories.hpp"

#include <algorithm>

#include "vmpatch/advisory/code_names.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/inventory/source.hpp"
#include "vmpatch/plan/plan.hpp"
#include "vmpatch/repository/update_recipe.hpp"

namespace vmpatch::fleet {
namespace {

std::string names_of(const std::vector<repository::Source>& sources) {
  std::string all;
  for (const auto& source : sources) all += (all.empty() ? "" : ", ") + source.name;
  return all;
}

/// Code names of one distribution's releases tell each other apart; those of vendors say nothing.
Result<void> check_release(const repository::Suite& suite, const guest::OsRelease& os) {
  const std::string_view name = std::string_view(suite.codename).substr(0, suite.codename.find_first_of("-/"));
  const std::string_view number = os.id == "ubuntu" ? advisory::ubuntu_number(name) : os.id == "debian" ? advisory::debian_number(name) : "";
  if (number.empty() || os.version_id.empty() || number == os.version_id) return {};
  return fail(Errc::refused, "repository {}, {} is of {} ({} {}), and the guest is {} {}: name the release in its `versions:`", suite.repository, suite.suite,
              escape_untrusted(suite.codename), os.id, number, escape_untrusted(os.id), escape_untrusted(os.version_id));
}

/// What the patch would be refused for, before anything is fetched.
Result<void> check_possible(const inventory::Machine& machine, const MachineUpdate& update, Time now) {
  auto reasons = inventory::patch_obstacles(machine);
  for (auto& reason : plan::unfit_guest(update.facts)) reasons.push_back(std::move(reason));
  if (!reasons.empty()) return fail(Errc::refused, "{}", fmt::join(reasons, "; "));
  VMPATCH_CHECK(repository::make_update_recipe(update.update, update.snapshot, update.facts, now));
  return {};
}

}  // namespace

Result<Repositories> Repositories::make(const Invocation& invocation, const policy::Policy& policy, Log& log) {
  if (policy.repositories.empty()) {
    return fail(Errc::usage, "no package repository is configured; 'vm-patch repository import' makes a list from this host's apt for {}",
                invocation.paths.config.empty() ? "the configuration" : invocation.paths.config.string());
  }
  for (const auto& source : policy.repositories) {
    if (source.type == repository::Type::apt) continue;
    return fail(Errc::unsupported, "repository {}: repositories of rpm packages are not supported yet", source.name);
  }
  VMPATCH_TRY(auto port, repository::make_apt_repositories({invocation.paths.state, invocation.paths.cache, invocation.paths.scratch}, invocation.clock, log));
  return Repositories(policy, std::move(port), invocation.clock, log);
}

Result<std::vector<repository::Source>> Repositories::named(const std::vector<std::string>& names) const {
  if (names.empty()) return policy_->repositories;
  std::vector<repository::Source> sources;
  for (const std::string& name : names) {
    const auto& all = policy_->repositories;
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& source) { return source.name == name; });
    if (found == all.end()) return fail(Errc::usage, "no repository '{}' is configured; there are {}", escape_untrusted(name), names_of(all));
    sources.push_back(*found);
  }
  return sources;
}

void Repositories::refresh() {
  loaded_->snapshots.clear();
  for (const auto& source : policy_->repositories) {
    log_->info("repository {}: asking for its state", source.name);
    const auto refreshed = port_->refresh(source);
    if (refreshed) continue;
    log_->error("{}", refreshed.error().message);
    failed_.emplace(source.name, refreshed.error());
  }
}

Result<repository::Snapshot> Repositories::snapshot_for(const guest::OsRelease& os, repository::Mode mode) {
  const std::lock_guard lock(loaded_->mutex);
  const std::tuple key{os.id, os.version_id, mode};
  const auto found = loaded_->snapshots.find(key);
  return found != loaded_->snapshots.end() ? found->second : loaded_->snapshots.emplace(key, load_snapshot(os, mode)).first->second;
}

Result<repository::Snapshot> Repositories::load_snapshot(const guest::OsRelease& os, repository::Mode mode) {
  const auto sources = repository::sources_for(policy_->repositories, os);
  if (sources.empty()) {
    return fail(Errc::not_found, "no repository is configured for {} {}; there are {}", escape_untrusted(os.id), escape_untrusted(os.version_id),
                names_of(policy_->repositories));
  }
  repository::Snapshot snapshot;
  for (const auto& source : sources) {
    if (const auto failed = failed_.find(source.name); failed != failed_.end()) return failed->second;
    VMPATCH_TRY(auto suites, port_->load(source));
    for (const auto& suite : suites) VMPATCH_CHECK(check_release(suite, os));
    std::move(suites.begin(), suites.end(), std::back_inserter(snapshot.suites));
  }
  const bool security = std::any_of(snapshot.suites.begin(), snapshot.suites.end(), [](const auto& suite) { return suite.security; });
  if (mode == repository::Mode::security && !security) {
    return fail(Errc::not_found, "none of the repositories for {} {} is one of security updates: mark it with `security: true`, or use --mode all",
                escape_untrusted(os.id), escape_untrusted(os.version_id));
  }
  return snapshot;
}

Result<MachineUpdate> Repositories::update_of(const reading::Environment& environment, const inventory::Machine& machine, const repository::Rules& rules,
                                              bool fresh) {
  VMPATCH_TRY(auto inspection, reading::inspect(environment, machine, fresh));
  VMPATCH_TRY(auto snapshot, snapshot_for(inspection.facts.os, rules.mode));
  VMPATCH_TRY(const auto files, reading::inspect_manager_files(environment, machine, fresh));
  auto update = port_->resolve(files, snapshot, rules);
  if (!update) return update.error().in(escape_untrusted(machine.name));
  MachineUpdate found{std::move(inspection.facts), std::move(snapshot), std::move(*update), std::nullopt};
  if (found.update.changes.empty()) return found;
  if (const auto possible = check_possible(machine, found, clock_->now()); !possible) found.obstacle = possible.error().in(escape_untrusted(machine.name));
  return found;
}

}  // namespace vmpatch::fleet
