#include "vmpatch/guest/facts.hpp"

#include <algorithm>
#include <set>

#include "guest/dpkg.hpp"
#include "guest/elf.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::uint64_t max_small = 1U << 20U;
constexpr std::uint64_t max_database = 64U << 20U;
constexpr std::uint64_t max_program = 32U << 20U;
constexpr std::size_t max_status_files = 5000;

/// nullopt where the path does not exist.
Result<std::optional<std::string>> read_if_there(Guest& guest, const std::string& path, std::uint64_t max_bytes) {
  auto text = guest.read(path, max_bytes);
  if (text) return std::optional(std::move(*text));
  if (text.error().code == Errc::not_found) return std::optional<std::string>();
  return text.error();
}

/// Empty where the folder does not exist.
Result<std::vector<DirEntry>> list_if_there(Guest& guest, const std::string& dir) {
  auto entries = guest.list(dir);
  if (entries) return std::move(*entries);
  if (entries.error().code == Errc::not_found) return std::vector<DirEntry>();
  return entries.error();
}

Result<bool> exists(Guest& guest, const std::string& path) {
  auto info = guest.lstat(path);
  if (info) return true;
  if (info.error().code == Errc::not_found) return false;
  return info.error();
}

Result<OsRelease> read_os_release(Guest& guest) {
  for (const char* path : {"/etc/os-release", "/usr/lib/os-release"}) {
    VMPATCH_TRY(const auto text, read_if_there(guest, path, max_small));
    if (!text) continue;
    auto os = parse_os_release(*text);
    if (!os) return os.error().in(path);
    return os;
  }
  return fail(Errc::not_found, "no operating system found: neither /etc/os-release nor /usr/lib/os-release exists");
}

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

Result<void> read_kernels(Guest& guest, Facts& facts) {
  VMPATCH_TRY(const auto boot, list_if_there(guest, "/boot"));
  VMPATCH_TRY(const auto modules, list_if_there(guest, "/lib/modules"));
  std::set<std::string> files;
  std::set<std::string> module_folders;
  for (const DirEntry& entry : boot) files.insert(entry.name);
  for (const DirEntry& entry : modules) module_folders.insert(entry.name);
  for (const std::string& name : files) {
    constexpr std::string_view prefix = "vmlinuz-";
    if (!name.starts_with(prefix) || name.size() == prefix.size()) continue;
    const std::string version = name.substr(prefix.size());
    const bool initrd = files.contains("initrd.img-" + version) || files.contains("initramfs-" + version + ".img") ||
                        files.contains("initrd-" + version);
    facts.kernels.push_back({version, initrd, module_folders.contains(version)});
  }
  return {};
}

/// The first of the usual programs that is an ELF file; scripts and wrappers are passed over.
Result<std::string> read_arch(Guest& guest) {
  for (const char* path : {"/bin/sh", "/bin/bash", "/sbin/init", "/bin/busybox", "/usr/bin/dpkg", "/bin/ls"}) {
    auto program = guest.read(path, max_program);
    if (!program) {
      if (program.error().code == Errc::not_found || program.error().code == Errc::failed) continue;
      return program.error();
    }
    std::string arch = elf_machine(std::string_view(*program).substr(0, 64));
    if (!arch.empty()) return arch;
  }
  return std::string();
}

Result<std::string> read_init(Guest& guest) {
  for (const char* path : {"/sbin/init", "/usr/sbin/init"}) {
    auto target = guest.readlink(path);
    if (!target) continue;  // not a link, or not there
    for (const char* name : {"systemd", "busybox", "openrc", "runit", "upstart", "dinit"}) {
      if (target->find(name) != std::string::npos) return std::string(name);
    }
  }
  const std::pair<const char*, const char*> signs[] = {
      {"/lib/systemd/systemd", "systemd"}, {"/usr/lib/systemd/systemd", "systemd"}, {"/sbin/openrc", "openrc"},
      {"/etc/inittab", "sysvinit"}};
  for (const auto& [path, name] : signs) {
    VMPATCH_TRY(const bool there, exists(guest, path));
    if (there) return std::string(name);
  }
  return std::string();
}

}  // namespace

const Package* Facts::find(std::string_view name) const {
  const auto found = std::find_if(packages.begin(), packages.end(),
                                  [&](const Package& p) { return p.name == name && p.installed(); });
  return found == packages.end() ? nullptr : &*found;
}

Result<Facts> read_facts(Guest& guest) {
  Facts facts;
  facts.access = guest.access();
  facts.hibernated = guest.hibernated();
  VMPATCH_TRY(facts.os, read_os_release(guest));
  VMPATCH_CHECK(read_packages(guest, facts));
  VMPATCH_TRY(const auto fstab, read_if_there(guest, "/etc/fstab", max_small));
  if (fstab) {
    auto mounts = parse_fstab(*fstab);
    if (!mounts) return mounts.error().in("/etc/fstab");
    facts.mounts = std::move(*mounts);
  }
  VMPATCH_CHECK(read_kernels(guest, facts));
  VMPATCH_TRY(facts.arch, read_arch(guest));
  VMPATCH_TRY(facts.init, read_init(guest));
  VMPATCH_TRY(facts.identity, read_identity(guest));
  return facts;
}

Json to_json(const Facts& facts) {
  Json json;
  json["os"] = {{"id", facts.os.id}, {"version_id", facts.os.version_id}, {"codename", facts.os.codename},
                {"pretty_name", facts.os.pretty_name}};
  json["arch"] = facts.arch;
  json["init"] = facts.init;
  json["package_manager"] = facts.package_manager;
  json["packages"] = Json::array();
  for (const Package& p : facts.packages) {
    json["packages"].push_back({{"name", p.name}, {"version", p.version}, {"arch", p.arch}, {"source", p.source},
                                {"source_version", p.source_version}, {"status", p.status}});
  }
  json["half_configured"] = facts.half_configured;
  json["mounts"] = Json::array();
  for (const MountEntry& m : facts.mounts) {
    json["mounts"].push_back({{"what", m.what}, {"where", m.where}, {"type", m.type}, {"options", m.options}});
  }
  json["kernels"] = Json::array();
  for (const Kernel& k : facts.kernels) {
    json["kernels"].push_back({{"version", k.version}, {"initrd", k.initrd}, {"modules", k.modules}});
  }
  json["identity"] = {{"machine_id", to_string(facts.identity.machine_id)}, {"files", Json::object()}};
  for (const auto& [path, state] : facts.identity.files) json["identity"]["files"][path] = state;
  json["hibernated"] = facts.hibernated;
  json["access"] = facts.access;
  return json;
}

}  // namespace vmpatch::guest
