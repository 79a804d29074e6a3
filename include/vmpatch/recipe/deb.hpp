#pragma once
// Debian binary packages (deb(5)): control fields and the digests of what they deliver, by libarchive. Bounded reads.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/result.hpp"
#include "vmpatch/recipe/recipe.hpp"

namespace vmpatch::recipe {

struct DebFile {
  std::string path;  ///< absolute in the guest, e.g. /usr/bin/openssl
  enum class Kind { regular, symlink, hardlink } kind = Kind::regular;
  Digest sha256;       ///< regular
  std::string target;  ///< links
  unsigned mode = 0;
  std::uint32_t uid = 0;  ///< for a name that the guest does not have
  std::uint32_t gid = 0;
  std::string user;   ///< as the archive names it; "" = by number alone
  std::string group;
};

struct DebPackage {
  std::map<std::string, std::string> control;  ///< Package, Version, Architecture, Source, Installed-Size, …
  std::vector<std::string> conffiles;          ///< absolute paths
  std::vector<DebFile> files;                  ///< empty unless asked for
  std::string scripts;                         ///< text of preinst and postinst, one behind the other
  [[nodiscard]] std::string name() const;
  [[nodiscard]] std::string version() const;
  [[nodiscard]] std::string architecture() const;
};

/// From an open file. `with_files` also reads data.tar and hashes each regular file.
Result<DebPackage> read_deb(int fd, std::string_view name, bool with_files);

/// A recipe from packages: id, version 1, title, issued now, expires after 90 days, applies_to (Debian release from
/// `version_id`, arch, "installed and older" of each package), payloads with digest and size, one packages step in an order
/// that dpkg accepts in one call, verify "name >= version" each. fixes are the CVE ids in the newest entry of each package's
/// own changelog (usr/share/doc/PACKAGE/changelog.Debian.gz); older entries may name more that an outdated guest lacks, so
/// the author reads the result. severity is high if there is any, else none.
struct FromPackagesOptions {
  std::string id;
  std::string title;
  std::string os_id = "debian";
  std::string version_id = "12";
  Time now{};
};
Result<Recipe> recipe_from_packages(const std::vector<std::filesystem::path>& debs, const FromPackagesOptions& options);

}  // namespace vmpatch::recipe
