#include "repository/apt/order.hpp"

#include <apt-pkg/cacheiterators.h>
#include <apt-pkg/packagemanager.h>

#include <map>
#include <memory>
#include <set>

#include "repository/apt/errors.hpp"
#include "vmpatch/core/format.hpp"

namespace vmpatch::repository::apt {
namespace {

using Kind = Operation::Kind;

/// Writes down instead of calling dpkg.
class Recorder final : public pkgPackageManager {
 public:
  explicit Recorder(pkgDepCache& cache) : pkgPackageManager(&cache) {
    // The order is made of what is there: say so of everything.
    for (PkgIterator package = cache.PkgBegin(); !package.end(); ++package) FileNames[package->ID] = "there";
  }

  Result<std::vector<Operation>> order() {
    if (DoInstall(nullptr) != Completed) return complaint("the order of installation cannot be found");
    return std::move(operations_);
  }

 protected:
  bool Install(PkgIterator package, std::string) override { return note(Kind::unpack, package); }
  bool Configure(PkgIterator package) override { return note(Kind::configure, package); }
  bool Remove(PkgIterator package, bool purge) override { return note(purge ? Kind::purge : Kind::remove, package); }
  void Reset() override { operations_.clear(); }

  /// Here pkgDPkgPM adds what was left to do.
  bool Go(APT::Progress::PackageManager*) override {
    std::set<map_id_t> gone, configured;
    for (const Operation& operation : operations_) {
      if (operation.kind == Kind::remove || operation.kind == Kind::purge) gone.insert(operation.package->ID);
      if (operation.kind == Kind::configure) configured.insert(operation.package->ID);
    }
    const std::vector<Operation> ordered = operations_;
    for (PkgIterator package = Cache.PkgBegin(); !package.end(); ++package) {
      if (Cache[package].Delete() && gone.insert(package->ID).second) note(Cache[package].Purge() ? Kind::purge : Kind::remove, package);
    }
    for (const Operation& operation : ordered) {
      if (operation.kind == Kind::unpack && configured.insert(operation.package->ID).second) note(Kind::configure, operation.package);
    }
    for (PkgIterator package = Cache.PkgBegin(); !package.end(); ++package) {
      const bool waits = package.State() == PkgIterator::NeedsConfigure && !Cache[package].Delete();
      if (waits && configured.insert(package->ID).second) note(Kind::configure, package);
    }
    return true;
  }

 private:
  bool note(Kind kind, const PkgIterator& package) {
    operations_.push_back({kind, package});
    return true;
  }
  std::vector<Operation> operations_;
};

/// Whether every step finds what it depends on: the order of a loop may not. Not by the library's own rehearsal (pkgSimulate), which takes
/// for broken what dpkg deconfigures for a moment (Breaks).
class Rehearsal {
 public:
  explicit Rehearsal(pkgDepCache& cache) : cache_(cache) {
    for (auto package = cache.PkgBegin(); !package.end(); ++package) {
      if (!package.CurrentVer().end()) there_[package->ID] = package.CurrentVer()->ID;
    }
  }

  Result<void> run(const std::vector<Operation>& operations) {
    for (const Operation& operation : operations) {
      const auto id = operation.package->ID;
      if (operation.kind == Kind::unpack) there_[id] = cache_[operation.package].InstVerIter(cache_)->ID;
      if (operation.kind == Kind::remove || operation.kind == Kind::purge) there_.erase(id);
      if (operation.kind == Kind::configure) VMPATCH_CHECK(configure(operation.package));
    }
    return {};
  }

 private:
  Result<void> configure(const pkgCache::PkgIterator& package) {
    const auto version = cache_[package].InstVerIter(cache_);
    if (version.end()) return {};
    for (auto dependency = version.DependsList(); !dependency.end();) {
      pkgCache::DepIterator first, last;
      dependency.GlobOr(first, last);
      if (last.IsNegative() || !last.IsCritical() || any_is_there(first, last)) continue;
      return fail(Errc::failed, "the order of installation would fail: {} is configured before {} is there", package.Name(), first.TargetPkg().Name());
    }
    return {};
  }

  bool any_is_there(pkgCache::DepIterator one, const pkgCache::DepIterator& last) {
    for (;; ++one) {
      const std::unique_ptr<pkgCache::Version*[]> targets(one.AllTargets());
      for (pkgCache::Version** target = targets.get(); *target != nullptr; ++target) {
        const pkgCache::VerIterator version(cache_, *target);
        const auto found = there_.find(version.ParentPkg()->ID);
        if (found != there_.end() && found->second == version->ID) return true;
      }
      if (one == last) return false;
    }
  }

  pkgDepCache& cache_;
  std::map<map_id_t, map_id_t> there_;  ///< package → version that is unpacked
};

}  // namespace

Result<std::vector<Operation>> order_operations(pkgDepCache& cache) {
  VMPATCH_TRY(auto operations, Recorder(cache).order());
  VMPATCH_CHECK(no_complaints("the order of installation cannot be found"));
  VMPATCH_CHECK(Rehearsal(cache).run(operations));
  return operations;
}

}  // namespace vmpatch::repository::apt
