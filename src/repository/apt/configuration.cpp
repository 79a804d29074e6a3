#include "repository/apt/configuration.hpp"

#include <apt-pkg/configuration.h>
#include <apt-pkg/fileutl.h>
#include <apt-pkg/init.h>
#include <apt-pkg/pkgsystem.h>

#include <array>
#include <cstdlib>
#include <string>

#include "repository/apt/errors.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::repository::apt {
namespace {

void set_environment(const std::string& folder) {
  // reads settings, changes phasing, or names servers
  for (const char* name : {"APT_CONFIG", "SOURCE_DATE_EPOCH", "http_proxy", "https_proxy", "all_proxy", "no_proxy"}) ::unsetenv(name);
  ::setenv("TMPDIR", folder.c_str(), 1);  // where it looks whether a Release file is signed in itself
}

void set_places(const std::string& folder) {
  const auto set = [](const char* key, const std::string& value) { _config->Set(key, value); };
  set("Dir", folder + "/");
  set("Dir::Etc", folder + "/");
  set("Dir::State", folder + "/");
  set("Dir::Cache", folder + "/");
  set("Dir::Log", folder + "/");
  set("Dir::Etc::machine-id", "machine-id");
  set("Dir::State::status", folder + "/status");
  set("Dir::State::extended_states", "extended_states");
  set("Dir::State::lists", folder + "/lists/");
  for (const char* key : {"Dir::Etc::main", "Dir::Etc::parts", "Dir::Etc::sourcelist", "Dir::Etc::sourceparts", "Dir::Etc::trusted",
                          "Dir::Etc::trustedparts", "Dir::Etc::netrc", "Dir::Etc::netrcparts", "Dir::Log::Planner", "Dir::Log::Solver"}) {
    set(key, "/dev/null");
  }
  set("Dir::Bin::dpkg", "/bin/false");
  set("Dir::Bin::ischroot", "/bin/false");
}

/// pkgInitConfig() overwrites what is empty, so that these come after it.
void set_behaviour(const std::string& folder) {
  const auto set = [](const char* key, const std::string& value) { _config->Set(key, value); };
  set("Dir::Etc::sourcelist", folder + "/sources.list");
  set("Dir::Etc::preferences", folder + "/preferences");
  const std::string parts = folder + "/preferences.d/";
  set("Dir::Etc::preferencesparts", DirectoryExists(parts) ? parts : "/dev/null");  // one that is missing is a warning
  // nothing is written
  set("Dir::Log::Planner", "");
  set("Dir::Log::Solver", "");
  set("Dir::Cache::pkgcache", "");
  set("Dir::Cache::srcpkgcache", "");
  set("APT::Solver", "internal");
  set("APT::Planner", "internal");
  for (const char* key : {"Acquire::AllowInsecureRepositories", "Acquire::AllowWeakRepositories", "Acquire::AllowDowngradeToInsecureRepositories",
                          "Acquire::AllowReleaseInfoChange", "Acquire::AllowReleaseInfoChange::Suite"}) {
    _config->Set(key, false);
  }
}

/// What of a guest's apt.conf decides which packages are installed, in which order, and which are no longer needed. Not APT::Ignore-Hold:
/// what is excluded is held, too.
constexpr std::array<const char*, 27> carried_over{
    "APT::AutoRemove", "APT::Default-Release", "APT::Get::Always-Include-Phased-Updates", "APT::Get::Never-Include-Phased-Updates",
    "APT::Get::Upgrade-By-Source-Package", "APT::Immediate-Configure", "APT::Immediate-Configure-All", "APT::Install-Recommends",
    "APT::Install-Recommends-Sections", "APT::Install-Suggests", "APT::Machine-ID", "APT::Move-Autobit-Sections", "APT::NeverAutoRemove",
    "APT::Never-MarkAuto-Sections", "APT::Protect-Kernels", "APT::VersionedKernelPackages", "OrderList::Score", "PackageManager::Configure",
    "PackageManager::UnpackAll", "Update-Manager::Always-Include-Phased-Updates", "Update-Manager::Never-Include-Phased-Updates",
    "pkgCacheGen::Essential", "pkgCacheGen::ForceEssential", "pkgCacheGen::ForceImportant", "pkgCacheGen::Protected",
    "pkgProblemResolver::FixByInstall", "pkgProblemResolver::Scores"};

/// A value, its list or both.
void copy(const Configuration::Item* item, const std::string& name) {
  if (item == nullptr) return;
  if (!item->Value.empty()) _config->Set(name.c_str(), item->Value);
  for (const auto* child = item->Child; child != nullptr; child = child->Next) copy(child, name + "::" + child->Tag);
}

/// The first line, as in apt.
std::string machine_id(const std::string& folder) {
  const auto text = read_file(folder + "/machine-id", 4096);
  return text ? std::string(trim(text->substr(0, text->find('\n')))) : "";
}

}  // namespace

Result<void> configure(const std::string& folder, const ResolveRequest& request) {
  set_environment(folder);
  set_places(folder);
  _config->Set("Acquire::Languages", "none");
  _config->Set("APT::Architecture", request.architectures.front());
  // Without the list libapt asks the host's dpkg.
  _config->Clear("APT::Architectures");
  for (const std::string& architecture : request.architectures) _config->Set("APT::Architectures::", architecture);
  if (!pkgInitConfig(*_config)) return complaint("cannot set libapt-pkg up");
  set_behaviour(folder);
  if (!pkgInitSystem(*_config, _system)) return complaint("cannot start libapt-pkg");
  return no_complaints("cannot set libapt-pkg up");
}

Result<void> carry_over_settings(const std::string& folder) {
  Configuration guest;
  // As apt reads them: the folder first, then the file.
  const std::string parts = folder + "/apt.conf.d";
  const std::string file = folder + "/apt.conf";
  if (DirectoryExists(parts) && !ReadConfigDir(guest, parts)) return complaint("the guest's apt.conf.d cannot be read");
  if (RealFileExists(file) && !ReadConfigFile(guest, file)) return complaint("the guest's apt.conf cannot be read");
  VMPATCH_CHECK(no_complaints("the guest's apt.conf cannot be read"));
  for (const char* key : carried_over) copy(guest.Tree(key), key);
  if (_config->Find("APT::Machine-ID").empty()) _config->Set("APT::Machine-ID", machine_id(folder));
  return {};
}

}  // namespace vmpatch::repository::apt
