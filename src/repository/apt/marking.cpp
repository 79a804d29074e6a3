#include "repository/apt/marking.hpp"

#include <apt-pkg/algorithms.h>
#include <apt-pkg/configuration.h>
#include <apt-pkg/upgrade.h>

#include <algorithm>
#include <optional>
#include <set>

#include "repository/apt/errors.hpp"
#include "repository/apt/exclusions.hpp"
#include "repository/apt/phasing.hpp"
#include "repository/apt/unneeded.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::repository::apt {
namespace {

using Package = pkgCache::PkgIterator;
using Version = pkgCache::VerIterator;

class Marking {
 public:
  Marking(pkgDepCache& cache, const ResolveRequest& request, const Origins& origins) : cache_(cache), request_(request), origins_(origins) {}

  Result<AllKeptBack> run() {
    VMPATCH_CHECK(mend());
    hold_excluded();
    VMPATCH_CHECK(request_.mode == Mode::all ? mark_all() : mark_security());
    if (!drop_unneeded_new(cache_)) return complaint("the updates cannot be calculated");
    // It counts while it marks, and may lose count of provided names: count anew.
    cache_.Update();
    if (cache_.BrokenCount() != 0) return complaint("no set of packages satisfies all dependencies");
    VMPATCH_CHECK(no_complaints("the updates cannot be calculated"));
    leave_only_kept();
    return std::move(kept_);
  }

 private:
  /// What was interrupted is ended or begun anew, as apt-get does before anything else.
  Result<void> mend() {
    if (!pkgApplyStatus(cache_)) return complaint("packages are not installed wholly: mend the guest with apt-get -f install");
    if (request_.mode == Mode::security && (cache_.InstCount() != 0 || cache_.DelCount() != 0)) {
      return fail(Errc::failed, "packages are not installed wholly: mend the guest with apt-get -f install");
    }
    if (cache_.BrokenCount() != 0) return fail(Errc::failed, "dependencies of installed packages are not met: mend the guest with apt-get -f install");
    return {};
  }

  /// What the guest or the policy holds is to the library one thing.
  void hold_excluded() {
    for (Package package = cache_.PkgBegin(); !package.end(); ++package) {
      if (package.CurrentVer().end() || package->SelectedState == pkgCache::State::Hold || !is_excluded(request_, package)) continue;
      package->SelectedState = pkgCache::State::Hold;
      excluded_.insert(package->ID);
    }
  }

  void note(const Package& package, const Version& newer, const char* why) {
    const bool held = package->SelectedState == pkgCache::State::Hold;
    kept_[package->ID] = {newer.VerStr(), !held ? why : excluded_.contains(package->ID) ? "excluded" : "held", origins_.is_security(newer)};
  }

  Result<void> mark_all() {
    const char* const hindered = "its dependencies hinder it";
    for (Package package = cache_.PkgBegin(); !package.end(); ++package) {
      if (package.CurrentVer().end()) continue;
      if (cache_[package].Upgradable()) {
        note(package, cache_[package].CandidateVerIter(cache_), hindered);
      } else if (const auto hidden = newest_security(package)) {
        note(package, *hidden, "pinned");
      }
    }
    decide_phases(cache_);
    if (!APT::Upgrade::Upgrade(cache_, APT::Upgrade::ALLOW_EVERYTHING)) return complaint("the upgrade cannot be calculated");
    for (Package package = cache_.PkgBegin(); !package.end(); ++package) {
      const auto kept = kept_.find(package->ID);
      // Held packages have the mark, too.
      if (kept != kept_.end() && kept->second.why == hindered && cache_[package].Protect()) kept->second.why = "phased";
    }
    return {};
  }

  /// The newest one that is newer than what is installed. Of a package the newest version comes first.
  std::optional<Version> newest_security(const Package& package) const {
    for (Version version = package.VersionList(); !version.end() && version != package.CurrentVer(); ++version) {
      if (origins_.is_security(version)) return version;
    }
    return std::nullopt;
  }

  /// What the guest's own pins choose of the security updates and what is installed.
  Version choice(const Package& package) const {
    auto& policy = cache_.GetPolicy();
    Version best = package.CurrentVer();
    int priority = 0;
    for (Version version = package.VersionList(); !version.end(); ++version) {
      const bool current = version == package.CurrentVer();
      const int its = current || origins_.is_security(version) ? policy.GetPriority(version) : 0;
      if (its > priority) {
        priority = its;
        best = version;
      }
      if (current) break;
    }
    return best;
  }

  /// Installed packages move to a security update or not at all; a new one that they need may come from anywhere.
  Result<void> mark_security() {
    for (Package package = cache_.PkgBegin(); !package.end(); ++package) {
      if (package.CurrentVer().end()) continue;
      const Version chosen = choice(package);
      cache_.SetCandidateVersion(chosen);
      const auto newest = newest_security(package);
      if (!newest) continue;
      note(package, *newest, chosen == *newest ? "needs what is no security update, or the removal of another package" : "pinned");
    }
    // A security update waits for no phase.
    _config->Set("APT::Get::Always-Include-Phased-Updates", true);
    if (!APT::Upgrade::Upgrade(cache_, APT::Upgrade::FORBID_REMOVE_PACKAGES)) return complaint("the security updates cannot be calculated");
    return {};
  }

  void leave_only_kept() {
    for (Package package = cache_.PkgBegin(); !package.end(); ++package) {
      if (cache_[package].Install() || cache_[package].Delete()) kept_.erase(package->ID);
    }
  }

  pkgDepCache& cache_;
  const ResolveRequest& request_;
  const Origins& origins_;
  std::set<map_id_t> excluded_;
  AllKeptBack kept_;
};

}  // namespace

Result<AllKeptBack> mark_updates(pkgDepCache& cache, const ResolveRequest& request, const Origins& origins) {
  return Marking(cache, request, origins).run();
}

}  // namespace vmpatch::repository::apt
