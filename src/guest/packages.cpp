#include "guest/packages.hpp"

#include <algorithm>

#include "guest/dpkg.hpp"
#include "guest/optional_files.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::uint64_t max_small = 1U << 20U;
constexpr std::uint64_t max_database = 64U << 20U;
constexpr std::size_t max_status_files = 5000;

/// Images without dpkg (distroless) have one file a package.
Result<void> read_status_folder(Guest& guest, std::vector<Package>& packages) {
  const std::string folder = "/var/lib/dpkg/status.d";
  VMPATCH_TRY(const auto entries, list_if_there(guest, folder));
  std::size_t count = 0;
  for (const DirEntry& entry : entries) {
    if (entry.kind != FileKind::regular || entry.name.ends_with(".md5sums")) continue;
    const std::string path = folder + "/" + entry.name;
    if (++count > max_status_files) return fail(Errc::failed, "{}: more than {} files", folder, max_status_files);
    VMPATCH_TRY(const std::string text, guest.read(path, max_small));
    auto found = parse_dpkg_stanzas(text, "install ok installed");
    if (!found) return found.error().in(escape_untrusted(path));
    std::move(found->begin(), found->end(), std::back_inserter(packages));
  }
  return {};
}

/// What dpkg has still to do: its journal of updates, and triggers that were never run.
Result<void> read_pending(Guest& guest, std::vector<std::string>& pending) {
  VMPATCH_TRY(const auto updates, list_if_there(guest, "/var/lib/dpkg/updates"));
  const auto numbered = std::count_if(updates.begin(), updates.end(), [](const DirEntry& entry) {
    return !entry.name.empty() && entry.name.find_first_not_of("0123456789") == std::string::npos;
  });
  if (numbered > 0) pending.push_back(fmt::format("dpkg: {} unfinished updates in /var/lib/dpkg/updates", numbered));
  VMPATCH_TRY(const auto triggers, read_if_there(guest, "/var/lib/dpkg/triggers/Unincorp", max_small));
  if (triggers && !trim(*triggers).empty()) {
    pending.emplace_back("dpkg: triggers that were not run in /var/lib/dpkg/triggers/Unincorp");
  }
  return {};
}

}  // namespace

Result<void> read_packages(Guest& guest, Facts& facts) {
  const std::string path = "/var/lib/dpkg/status";
  VMPATCH_TRY(const auto status, read_if_there(guest, path, max_database));
  if (status) {
    auto packages = parse_dpkg_status(*status);
    if (!packages) return packages.error().in(path);
    facts.packages = std::move(*packages);
  }
  VMPATCH_CHECK(read_status_folder(guest, facts.packages));
  if (status || !facts.packages.empty()) {
    facts.package_manager = "dpkg";
    facts.half_configured = half_configured_packages(facts.packages);
    return read_pending(guest, facts.half_configured);
  }
  for (const auto& [folder, manager] : {std::pair("/usr/lib/sysimage/rpm", "rpm"), std::pair("/var/lib/rpm", "rpm"),
                                        std::pair("/lib/apk/db", "apk"), std::pair("/var/lib/pacman/local", "pacman")}) {
    VMPATCH_TRY(const bool there, exists(guest, folder));
    if (there) {
      facts.package_manager = manager;
      return {};
    }
  }
  return {};
}

}  // namespace vmpatch::guest
