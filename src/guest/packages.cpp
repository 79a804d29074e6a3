#include "guest/packages.hpp"

#include <algorithm>
#include <array>

#include "guest/apk.hpp"
#include "guest/dpkg.hpp"
#include "guest/optional_files.hpp"
#include "guest/package_list.hpp"
#include "guest/pacman.hpp"
#include "guest/rpm_database.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::uint64_t max_small = 1U << 20U;
constexpr std::uint64_t max_database = 64U << 20U;
constexpr std::size_t max_files = 20'000;

/// What a package manager's database gave; nullopt where the guest has no such database.
struct Found {
  std::vector<Package> packages;
  std::vector<std::string> half_configured;
};
using MaybeFound = Result<std::optional<Found>>;

/// Databases of one small file a package: few enough files, and all together no larger than one whole database may be.
class SmallFiles {
 public:
  SmallFiles(Guest& guest, std::string folder) : guest_(guest), folder_(std::move(folder)) {}

  /// nullopt where there is no such file.
  Result<std::optional<std::string>> read(const std::string& path) {
    if (++files_ > max_files) return fail(Errc::failed, "{}: more than {} packages", folder_, max_files);
    VMPATCH_TRY(auto text, read_if_there(guest_, path, max_small));
    bytes_ += text ? text->size() : 0;
    if (bytes_ > max_database) return fail(Errc::failed, "{}: more than {}", folder_, format_size(max_database));
    return text;
  }

 private:
  Guest& guest_;
  std::string folder_;
  std::size_t files_ = 0;
  std::uint64_t bytes_ = 0;
};

/// Images without dpkg (distroless) have one file a package.
Result<void> read_status_folder(Guest& guest, PackageList& packages) {
  const std::string folder = "/var/lib/dpkg/status.d";
  VMPATCH_TRY(const auto entries, list_if_there(guest, folder));
  SmallFiles files(guest, folder);
  for (const DirEntry& entry : entries) {
    if (entry.kind != FileKind::regular || entry.name.ends_with(".md5sums")) continue;
    const std::string path = folder + "/" + entry.name;
    VMPATCH_TRY(const auto text, files.read(path));
    const auto read = parse_dpkg_stanzas(text.value_or(""), installed_status, packages);
    if (!read) return read.error().in(escape_untrusted(path));
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

MaybeFound read_dpkg(Guest& guest) {
  const std::string path = "/var/lib/dpkg/status";
  VMPATCH_TRY(const auto status, read_if_there(guest, path, max_database));
  PackageList packages;
  if (status) {
    if (const auto read = parse_dpkg_stanzas(*status, "", packages); !read) return read.error().in(path);
  }
  VMPATCH_CHECK(read_status_folder(guest, packages));
  if (!status && packages.empty()) return std::optional<Found>();
  Found found{packages.take(), {}};
  found.half_configured = half_configured_packages(found.packages);
  VMPATCH_CHECK(read_pending(guest, found.half_configured));
  const std::string states = "/var/lib/apt/extended_states";
  VMPATCH_TRY(const auto text, read_if_there(guest, states, max_database));
  if (text) {
    if (const auto marked = mark_automatic(*text, found.packages); !marked) return marked.error().in(states);
  }
  return std::optional(std::move(found));
}

MaybeFound read_apk(Guest& guest) {
  for (const char* path : {"/lib/apk/db/installed", "/usr/lib/apk/db/installed"}) {
    VMPATCH_TRY(const auto text, read_if_there(guest, path, max_database));
    if (!text) continue;
    auto database = parse_apk_installed(*text);
    if (!database) return database.error().in(path);
    return std::optional(Found{std::move(database->packages), std::move(database->broken)});
  }
  return std::optional<Found>();
}

MaybeFound read_pacman(Guest& guest) {
  const std::string folder = "/var/lib/pacman/local";
  VMPATCH_TRY(const auto entries, list_if_there(guest, folder));
  if (entries.empty()) return std::optional<Found>();
  Found found;
  PackageList packages;
  SmallFiles files(guest, folder);
  for (const DirEntry& entry : entries) {
    if (entry.kind != FileKind::directory) continue;  // ALPM_DB_VERSION
    const std::string path = folder + "/" + entry.name + "/desc";
    VMPATCH_TRY(const auto text, files.read(path));
    if (!text) {
      found.half_configured.push_back(entry.name + ": no desc in pacman's database");
      continue;
    }
    auto package = parse_pacman_desc(*text);
    if (!package) return package.error().in(escape_untrusted(path));
    const auto added = packages.add(std::move(*package));
    if (!added) return added.error().in(escape_untrusted(path));
  }
  found.packages = packages.take();
  return std::optional(std::move(found));
}

MaybeFound read_rpm(Guest& guest) {
  VMPATCH_TRY(const auto database, find_rpm_database(guest));
  if (!database) return std::optional<Found>();
  VMPATCH_TRY(auto packages, read_rpm_database(guest, *database));
  return std::optional(Found{std::move(packages), {}});
}

}  // namespace

Result<void> read_packages(Guest& guest, Facts& facts) {
  std::array<std::pair<const char*, MaybeFound (*)(Guest&)>, 4> managers{
      {{"dpkg", read_dpkg}, {"rpm", read_rpm}, {"apk", read_apk}, {"pacman", read_pacman}}};
  std::stable_partition(managers.begin(), managers.end(),
                        [native = native_manager(facts.os)](const auto& manager) { return manager.first == native; });
  for (const auto& [name, read] : managers) {
    VMPATCH_TRY(auto found, read(guest));
    if (!found) continue;
    // Tools of another distribution bring an empty database with them: the first that holds packages is the guest's own.
    if (!facts.package_manager.empty() && found->packages.empty()) continue;
    facts.package_manager = name;
    facts.packages = std::move(found->packages);
    facts.half_configured = std::move(found->half_configured);
    if (!facts.packages.empty()) break;
  }
  return {};
}

}  // namespace vmpatch::guest
