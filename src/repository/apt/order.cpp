#include "repository/apt/order.hpp"

#include <apt-pkg/algorithms.h>
#include <apt-pkg/packagemanager.h>

#include <iostream>
#include <set>

#include "repository/apt/errors.hpp"

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

/// The library's own rehearsal, of which apt-get --simulate prints what it says: whether every step finds what it depends on. The order of a
/// loop may not.
Result<void> rehearse(pkgDepCache& cache) {
  std::streambuf* const before = std::cout.rdbuf(nullptr);
  pkgPackageManager::OrderResult result = pkgPackageManager::Failed;
  {
    pkgSimulate simulation(&cache);
    result = simulation.DoInstall(nullptr);
  }
  std::cout.rdbuf(before);
  std::cout.clear();
  if (result != pkgPackageManager::Completed) return complaint("the order of installation would fail");
  return no_complaints("the order of installation would fail");
}

}  // namespace

Result<std::vector<Operation>> order_operations(pkgDepCache& cache) {
  VMPATCH_TRY(auto operations, Recorder(cache).order());
  VMPATCH_CHECK(no_complaints("the order of installation cannot be found"));
  VMPATCH_CHECK(rehearse(cache));
  return operations;
}

}  // namespace vmpatch::repository::apt
