#include "repository/apt/answer.hpp"

#include <apt-pkg/pkgrecords.h>

#include "vmpatch/core/json.hpp"

namespace vmpatch::repository::apt {
namespace {

using Package = pkgCache::PkgIterator;
using Version = pkgCache::VerIterator;

const char* word(Operation::Kind kind) {
  switch (kind) {
    case Operation::Kind::unpack: return "unpack";
    case Operation::Kind::configure: return "configure";
    case Operation::Kind::remove: return "remove";
    case Operation::Kind::purge: return "purge";
  }
  return "";
}

std::string text(const char* raw) { return raw == nullptr ? "" : raw; }

/// A version's architecture: of the package "all" is filed under the guest's own.
std::string arch_of(const Version& version) { return version.end() ? "" : text(version.Arch()); }

class Answer {
 public:
  Answer(pkgDepCache& cache, const Origins& origins, const AllKeptBack& kept) : cache_(cache), origins_(origins), kept_(kept), records_(cache) {}

  Result<Json> make(const std::vector<Operation>& operations) {
    Json changes = Json::array(), kept = Json::array(), unknown = Json::array(), unneeded = Json::array();
    for (Package package = cache_.PkgBegin(); !package.end(); ++package) {
      auto& state = cache_[package];
      if (state.Install() || state.Delete()) {
        VMPATCH_TRY(Json row, change(package));
        changes.push_back(std::move(row));
      }
      if (package.CurrentVer().end()) continue;
      if (!origins_.knows(package)) unknown.push_back(row(package, package.CurrentVer()));
      if (state.Garbage && !state.Delete()) unneeded.push_back(row(package, package.CurrentVer()));
      if (const auto stays = kept_.find(package->ID); stays != kept_.end()) {
        kept.push_back(row(package, package.CurrentVer()));
        kept.back().update({{"candidate", stays->second.candidate}, {"why", stays->second.why}, {"security", stays->second.security}});
      }
    }
    Json ordered = Json::array();
    for (const Operation& operation : operations) {
      ordered.push_back({{"do", word(operation.kind)}, {"name", operation.package.Name()}, {"arch", arch_in(operation)}});
    }
    return Json{{"schema", "vm-patch/apt-answer/v1"}, {"changes", std::move(changes)}, {"operations", std::move(ordered)}, {"kept", std::move(kept)},
                {"unknown", std::move(unknown)}, {"unneeded", std::move(unneeded)}};
  }

 private:
  static Json row(const Package& package, const Version& version) {
    return Json{{"name", package.Name()}, {"arch", arch_of(version)}, {"version", text(version.VerStr())}};
  }

  std::string arch_in(const Operation& operation) {
    const bool leaves = operation.kind == Operation::Kind::remove || operation.kind == Operation::Kind::purge;
    const Version version = leaves ? operation.package.CurrentVer() : cache_[operation.package].InstVerIter(cache_);
    return arch_of(version.end() ? operation.package.CurrentVer() : version);
  }

  Result<Json> change(const Package& package) {
    auto& state = cache_[package];
    const Version current = package.CurrentVer();
    Json row{{"name", package.Name()}, {"from", text(current.end() ? nullptr : current.VerStr())}};
    row["essential"] = (package->Flags & (pkgCache::Flag::Essential | pkgCache::Flag::Important)) != 0;
    if (state.Delete()) {
      row["arch"] = arch_of(current);
      row["to"] = "";
      row["because"] = enemy_of(package);
      return row;
    }
    const Version version = state.InstVerIter(cache_);
    row["arch"] = arch_of(version);
    row["to"] = text(version.VerStr());
    row["security"] = origins_.is_security(version);
    row["downgrade"] = state.Downgrade();
    row["because"] = state.NewInstall() ? needed_by(package) : "";
    const auto offer = origins_.find(version);
    if (!offer) return fail(Errc::failed, "{} {} is to be installed, but no repository has it", text(package.Name()), text(version.VerStr()));
    row["source"] = offer->source;
    auto& record = records_.Lookup(offer->file);
    row["file"] = record.FileName();
    row["size"] = static_cast<std::uint64_t>(version->Size);
    const auto hashes = record.Hashes();
    const auto* sha256 = hashes.find("SHA256");
    row["sha256"] = sha256 == nullptr ? "" : sha256->HashValue();
    row["installed_size"] = static_cast<std::int64_t>(version->InstalledSize) - (current.end() ? 0 : static_cast<std::int64_t>(current->InstalledSize));
    return row;
  }

  /// Another package that is to be installed and has this one in its dependencies.
  std::string needed_by(const Package& package) {
    return parent_in(package, cache_[package].InstVerIter(cache_), [this](const pkgCache::DepIterator& dependency) {
      return !dependency.IsNegative() && cache_.IsImportantDep(dependency);
    });
  }
  /// … or conflicts with it.
  std::string enemy_of(const Package& package) {
    return parent_in(package, package.CurrentVer(), [](const pkgCache::DepIterator& dependency) { return dependency.IsNegative(); });
  }
  /// By its name or by one that it provides.
  template <class Accept>
  std::string parent_in(const Package& package, const Version& version, Accept accept) {
    std::string parent = parent_by_name(package, package, accept);
    for (auto provided = version.ProvidesList(); parent.empty() && !provided.end(); ++provided) {
      parent = parent_by_name(package, provided.ParentPkg(), accept);
    }
    return parent;
  }
  template <class Accept>
  std::string parent_by_name(const Package& package, const Package& name, Accept accept) {
    for (auto dependency = name.RevDependsList(); !dependency.end(); ++dependency) {
      const Package parent = dependency.ParentPkg();
      if (!accept(dependency) || parent == package || !cache_[parent].Install()) continue;
      if (cache_[parent].InstVerIter(cache_) == dependency.ParentVer()) return parent.Name();
    }
    return "";
  }

  pkgDepCache& cache_;
  const Origins& origins_;
  const AllKeptBack& kept_;
  pkgRecords records_;
};

}  // namespace

Result<Json> make_answer(pkgDepCache& cache, const Origins& origins, const AllKeptBack& kept, const std::vector<Operation>& operations) {
  return Answer(cache, origins, kept).make(operations);
}

}  // namespace vmpatch::repository::apt
