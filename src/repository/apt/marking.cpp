#include "repository/apt/marking.hpp"

#include <apt-pkg/algorithms.h>
#include <apt-pkg/upgrade.h>
#include <fnmatch.h>

#include <algorithm>
#include <vector>

#include "repository/apt/errors.hpp"
#include "repository/apt/phasing.hpp"

namespace vmpatch::repository::apt {
namespace {

using Package = pkgCache::PkgIterator;
using Version = pkgCache::VerIterator;

class Marking {
 public:
  Marking(pkgDepCache& cache, const ResolveRequest& request, const Origins& origins, const std::string& machine_id)
      : cache_(cache), request_(request), origins_(origins), records_(cache), machine_id_(machine_id) {}

  Result<KeptBack> run() {
    hold_back();
    VMPATCH_CHECK(request_.mode == Mode::all ? mark_all() : mark_security());
    if (cache_.BrokenCount() != 0) return complaint("no set of packages satisfies all dependencies");
    return std::move(kept_);
  }

 private:
  bool is_excluded(const Package& package) const {
    return std::any_of(request_.exclude.begin(), request_.exclude.end(), [&](const std::string& pattern) {
      return ::fnmatch(pattern.c_str(), package.Name(), 0) == 0;
    });
  }

  bool is_upgradable(const Package& package) const {
    const Version candidate = cache_[package].CandidateVerIter(cache_);
    return !candidate.end() && candidate != package.CurrentVer();
  }

  /// What the guest or the policy holds is to the library one thing.
  void hold_back() {
    for (Package package = cache_.PkgBegin(); !package.end(); ++package) {
      if (package.CurrentVer().end()) continue;
      const bool held = package->SelectedState == pkgCache::State::Hold;
      const bool excluded = is_excluded(package);
      if (held || excluded) {
        if (is_upgradable(package) || security_version(package)) kept_[package->ID] = held ? "held" : "excluded";
        package->SelectedState = pkgCache::State::Hold;
      } else if (is_upgradable(package) && waits_for_phase(cache_[package].CandidateVerIter(cache_), origins_, records_, machine_id_)) {
        kept_[package->ID] = "phased";
        cache_.MarkKeep(package, false, false);
        cache_.MarkProtected(package);
      }
    }
  }

  Result<void> mark_all() {
    if (!APT::Upgrade::Upgrade(cache_, APT::Upgrade::ALLOW_EVERYTHING)) return complaint("the upgrade cannot be calculated");
    return {};
  }

  /// The newest one that is newer than what is installed. Of a package the newest version comes first.
  std::optional<Version> security_version(const Package& package) const {
    for (Version version = package.VersionList(); !version.end() && version != package.CurrentVer(); ++version) {
      if (origins_.is_security(version)) return version;
    }
    return std::nullopt;
  }

  /// Installed packages move to a security update or not at all; a new one that they need may come from anywhere.
  std::vector<Package> restrict_to_security() {
    std::vector<Package> wanted;
    for (Package package = cache_.PkgBegin(); !package.end(); ++package) {
      if (package.CurrentVer().end()) continue;
      const bool may_move = package->SelectedState != pkgCache::State::Hold && !kept_.contains(package->ID);
      const auto version = security_version(package);
      if (version && may_move && !is_upgradable(package)) {
        kept_[package->ID] = "pinned";
      } else if (version && may_move) {
        cache_.SetCandidateVersion(*version);
        wanted.push_back(package);
        continue;
      }
      cache_.SetCandidateVersion(package.CurrentVer());
    }
    return wanted;
  }

  bool is_sound(const std::vector<Package>& wanted) {
    if (cache_.BrokenCount() != 0 || cache_.DelCount() != 0) return false;
    return std::all_of(wanted.begin(), wanted.end(), [&](const Package& package) { return cache_[package].Upgrade(); });
  }

  void mark(const std::vector<Package>& wanted) {
    const pkgDepCache::ActionGroup group(cache_);
    for (const Package& package : wanted) cache_.MarkInstall(package, false, 0, false);
    for (const Package& package : wanted) cache_.MarkInstall(package, true, 0, false);
  }

  /// Marks stay behind after a refusal, so that everything begins anew.
  Result<void> begin_anew() {
    if (!cache_.Init(nullptr)) return complaint("the package database cannot be read");
    restrict_to_security();
    return {};
  }

  Result<void> mark_security() {
    const std::vector<Package> wanted = restrict_to_security();
    mark(wanted);
    if (is_sound(wanted)) return {};
    // One after the other: who needs something that is refused does not take the others along.
    std::vector<Package> taken;
    VMPATCH_CHECK(begin_anew());
    for (const Package& package : wanted) {
      if (cache_[package].Upgrade()) {
        taken.push_back(package);
        continue;
      }
      auto with = taken;
      with.push_back(package);
      mark({package});
      if (is_sound(with)) {
        taken = std::move(with);
        continue;
      }
      kept_[package->ID] = "needs what is no security update, or the removal of another package";
      VMPATCH_CHECK(begin_anew());
      cache_.SetCandidateVersion(package.CurrentVer());
      mark(taken);
    }
    return {};
  }

  pkgDepCache& cache_;
  const ResolveRequest& request_;
  const Origins& origins_;
  pkgRecords records_;
  const std::string& machine_id_;
  KeptBack kept_;
};

}  // namespace

Result<KeptBack> mark_updates(pkgDepCache& cache, const ResolveRequest& request, const Origins& origins, const std::string& machine_id) {
  return Marking(cache, request, origins, machine_id).run();
}

}  // namespace vmpatch::repository::apt
