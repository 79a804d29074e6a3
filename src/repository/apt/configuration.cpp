#include "repository/apt/configuration.hpp"

#include <apt-pkg/configuration.h>
#include <apt-pkg/fileutl.h>
#include <apt-pkg/init.h>
#include <apt-pkg/pkgsystem.h>

#include <array>
#include <cstdlib>
#include <string>

#include "repository/apt/errors.hpp"

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
  set("Dir::Etc::preferencesparts", folder + "/preferences.d/");
  // nothing is written
  set("Dir::Log::Planner", "");
  set("Dir::Log::Solver", "");
  set("Dir::Cache::pkgcache", "");
  set("Dir::Cache::srcpkgcache", "");
  set("APT::Solver", "internal");
  set("APT::Planner", "internal");
  // Which machines are in which phase is decided in phasing.cpp: the library would start a program for it.
  _config->Set("APT::Get::Always-Include-Phased-Updates", true);
  for (const char* key : {"Acquire::AllowInsecureRepositories", "Acquire::AllowWeakRepositories", "Acquire::AllowDowngradeToInsecureRepositories",
                          "Acquire::AllowReleaseInfoChange", "Acquire::AllowReleaseInfoChange::Suite"}) {
    _config->Set(key, false);
  }
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
  constexpr std::array<const char*, 6> values{"APT::Install-Recommends", "APT::Install-Suggests", "APT::Default-Release", "APT::Immediate-Configure",
                                              "APT::Immediate-Configure-All", "pkgCacheGen::Essential"};
  for (const char* key : values) {
    if (guest.Exists(key)) _config->Set(key, guest.Find(key));
  }
  constexpr std::array<const char*, 8> lists{"APT::Install-Recommends-Sections", "APT::NeverAutoRemove", "APT::Never-MarkAuto-Sections",
                                             "APT::Move-Autobit-Sections", "APT::AutoRemove", "APT::Protect-Kernels",
                                             "APT::VersionedKernelPackages", "pkgCacheGen::ForceEssential"};
  for (const char* key : lists) {
    for (const std::string& value : guest.FindVector(key)) _config->Set((std::string(key) + "::").c_str(), value);
  }
  return {};
}

}  // namespace vmpatch::repository::apt
