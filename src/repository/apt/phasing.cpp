// Reading and writing a version's share of machines is the library's own, and in its header.
#define APT_COMPILING_APT
#include "repository/apt/phasing.hpp"

#include <apt-pkg/configuration.h>

#include <random>
#include <string>

namespace vmpatch::repository::apt {
namespace {

constexpr unsigned everyone = 100;

bool takes_part(const pkgCache::VerIterator& version, const std::string& machine_id) {
  const std::string text = std::string(version.SourcePkgName()) + "-" + version.SourceVerStr() + "-" + machine_id;
  std::seed_seq seed(text.begin(), text.end());
  std::minstd_rand random(seed);
  std::uniform_int_distribution<unsigned> draw(0, everyone);
  return draw(random) <= version.PhasedUpdatePercentage();
}

bool decided_by_settings() {
  for (const char* key : {"Always-Include-Phased-Updates", "Never-Include-Phased-Updates"}) {
    if (_config->FindB(("APT::Get::" + std::string(key)).c_str(), _config->FindB(("Update-Manager::" + std::string(key)).c_str(), false))) return true;
  }
  return false;
}

}  // namespace

bool needs_id(pkgDepCache& cache) {
  if (decided_by_settings()) return false;
  for (auto package = cache.PkgBegin(); !package.end(); ++package) {
    if (package.CurrentVer().end()) continue;
    for (auto version = package.VersionList(); !version.end(); ++version) {
      if (version.PhasedUpdatePercentage() != everyone) return true;
    }
  }
  return false;
}

void decide_phases(pkgDepCache& cache) {
  if (decided_by_settings()) return;
  const std::string machine_id = _config->Find("APT::Machine-ID");
  if (machine_id.empty()) {
    _config->Set("APT::Get::Always-Include-Phased-Updates", true);
    return;
  }
  for (auto package = cache.PkgBegin(); !package.end(); ++package) {
    for (auto version = package.VersionList(); !version.end(); ++version) {
      if (version.PhasedUpdatePercentage() != everyone && takes_part(version, machine_id)) version.PhasedUpdatePercentage(everyone);
    }
  }
  // The rest is for others.
  _config->Set("APT::Get::Never-Include-Phased-Updates", true);
}

}  // namespace vmpatch::repository::apt
