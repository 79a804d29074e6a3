#include "guest/boot.hpp"

#include <algorithm>

#include "guest/grub.hpp"
#include "guest/loader_entries.hpp"
#include "guest/optional_files.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::uint64_t max_config = 1U << 20U;
constexpr std::uint64_t max_entry = 64U << 10U;
constexpr std::size_t max_entries = 200;
constexpr const char* entries_folder = "/boot/loader/entries";

/// Empty where the file is not there or cannot be read: a broken boot loader does not hide the rest of the guest.
Result<std::optional<std::string>> read_lenient(Guest& guest, const std::string& path, std::uint64_t most) {
  auto text = read_if_there(guest, path, most);
  if (!text && text.error().code == Errc::failed) return std::optional<std::string>();
  return text;
}

/// GRUB's environment block. On some systems it is a link into the EFI partition.
Result<std::map<std::string, std::string>> read_environment(Guest& guest, const std::string& folder) {
  const std::string path = folder + "/grubenv";
  const auto info = guest.lstat(path);
  if (!info || info->kind != FileKind::regular) return std::map<std::string, std::string>();
  VMPATCH_TRY(const auto text, read_lenient(guest, path, max_entry));
  return text ? parse_grub_environment(*text) : std::map<std::string, std::string>();
}

Result<std::vector<LoaderEntry>> read_entries(Guest& guest) {
  std::vector<LoaderEntry> entries;
  auto names = list_if_there(guest, entries_folder);
  if (!names) {
    if (names.error().code == Errc::failed) return entries;
    return names.error();
  }
  for (const DirEntry& name : *names) {
    if (loader_entry_id(name.name).empty()) continue;
    if (entries.size() == max_entries) break;
    VMPATCH_TRY(const auto text, read_lenient(guest, fmt::format("{}/{}", entries_folder, name.name), max_entry));
    if (!text) continue;
    entries.push_back(parse_loader_entry(name.name, *text));
  }
  return entries;
}

class KernelNames {
 public:
  KernelNames(Guest& guest, const std::vector<MountEntry>& mounts)
      : guest_(guest),
        separate_boot_(std::any_of(mounts.begin(), mounts.end(), [](const MountEntry& m) { return m.where == "/boot" || m.where == "/boot/"; })) {}

  /// Version from the name of the file, else its path in the guest; "" for what is no plain path.
  Result<std::string> name(std::string path) {
    // On btrfs the path starts with the subvolume: /@/boot/vmlinuz-6.1.
    if (path.starts_with("/@/")) path.erase(0, 2);
    if (path.empty() || path.find('$') != std::string::npos) return std::string();
    if (path.front() != '/') path = (separate_boot_ ? "/" : "/boot/") + path;
    const std::string there = separate_boot_ ? "/boot" + path : path;
    if (auto version = version_of(there); !version.empty()) return version;
    const auto target = guest_.readlink(there);
    if (target) {
      if (auto version = version_of(*target); !version.empty()) return version;
    } else if (target.error().code != Errc::failed && target.error().code != Errc::not_found) {
      return target.error();
    }
    return there;
  }

 private:
  static std::string version_of(std::string_view path) {
    const std::string_view name = path.substr(path.rfind('/') + 1);
    for (const std::string_view prefix : {"vmlinuz-", "vmlinux-", "Image-", "bzImage-", "kernel-"}) {
      if (name.starts_with(prefix)) return std::string(name.substr(prefix.size()));
    }
    return {};
  }

  Guest& guest_;
  bool separate_boot_;
};

Result<DefaultBoot> from_entry(KernelNames& names, const LoaderEntry& entry, const std::string& source) {
  VMPATCH_TRY(std::string kernel, names.name(entry.kernel));
  if (kernel.starts_with('/') && !entry.version.empty()) kernel = entry.version;
  return DefaultBoot{std::move(kernel), source};
}

std::string path_of(const LoaderEntry& entry) { return fmt::format("{}/{}", entries_folder, entry.file); }

Result<DefaultBoot> from_grub_entries(Guest& guest, KernelNames& names, const std::string& choice) {
  VMPATCH_TRY(auto entries, read_entries(guest));
  if (entries.empty()) return DefaultBoot();
  sort_for_grub(entries);
  std::size_t at = 0;
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const LoaderEntry& e) { return e.id == choice || e.title == choice; });
  if (found != entries.end()) {
    at = static_cast<std::size_t>(found - entries.begin());
  } else if (choice.size() < 6 && !choice.empty() && choice.find_first_not_of("0123456789") == std::string::npos) {
    const auto number = static_cast<std::size_t>(std::stoul(choice));
    if (number < entries.size()) at = number;
  }
  return from_entry(names, entries[at], path_of(entries[at]));
}

Result<std::optional<DefaultBoot>> from_grub(Guest& guest, KernelNames& names) {
  for (const std::string folder : {"/boot/grub", "/boot/grub2"}) {
    const std::string path = folder + "/grub.cfg";
    VMPATCH_TRY(const auto text, read_lenient(guest, path, max_config));
    if (!text) continue;
    const GrubConfig config = parse_grub_config(*text);
    VMPATCH_TRY(const auto environment, read_environment(guest, folder));
    const std::string choice = grub_choice(config, environment);
    if (config.loader_entries && config.entries.empty()) {
      VMPATCH_TRY(auto boot, from_grub_entries(guest, names, choice));
      return std::optional(std::move(boot));
    }
    const GrubEntry* entry = find_grub_entry(config, choice);
    if (entry == nullptr || entry->kernel.empty()) return std::optional(DefaultBoot());
    VMPATCH_TRY(std::string kernel, names.name(entry->kernel));
    return std::optional(kernel.empty() ? DefaultBoot() : DefaultBoot{std::move(kernel), path});
  }
  return std::optional<DefaultBoot>();
}

Result<std::optional<DefaultBoot>> from_systemd_boot(Guest& guest, KernelNames& names) {
  const std::string path = "/boot/loader/loader.conf";
  VMPATCH_TRY(auto entries, read_entries(guest));
  if (entries.empty()) return std::optional<DefaultBoot>();
  VMPATCH_TRY(const auto config, read_lenient(guest, path, max_entry));
  std::string pattern = config ? loader_default(*config) : "";
  // @saved and the like are in variables of the firmware.
  if (pattern.starts_with('@')) return std::optional(DefaultBoot());
  if (pattern.ends_with(".conf")) pattern.resize(pattern.size() - 5);
  sort_for_systemd_boot(entries);
  auto found = entries.begin();
  if (!pattern.empty()) {
    found = std::find_if(entries.begin(), entries.end(), [&](const LoaderEntry& e) { return matches_pattern(pattern, e.id); });
    if (found == entries.end()) found = entries.begin();
  }
  VMPATCH_TRY(auto boot, from_entry(names, *found, pattern.empty() ? path_of(*found) : path));
  return std::optional(boot.kernel.empty() ? DefaultBoot() : std::move(boot));
}

Result<DefaultBoot> from_extlinux(Guest& guest, KernelNames& names) {
  for (const std::string path : {"/boot/extlinux/extlinux.conf", "/boot/extlinux.conf", "/extlinux.conf", "/boot/syslinux/syslinux.cfg"}) {
    VMPATCH_TRY(const auto text, read_lenient(guest, path, max_config));
    if (!text) continue;
    const std::string file = extlinux_kernel(*text);
    if (file.empty()) return DefaultBoot();
    // Relative to the folder of the configuration.
    const bool relative = file.front() != '/';
    const std::string base = file.substr(file.rfind('/') + 1);
    VMPATCH_TRY(std::string kernel, names.name(relative ? base : file));
    return kernel.empty() ? DefaultBoot() : DefaultBoot{std::move(kernel), path};
  }
  return DefaultBoot();
}

}  // namespace

Result<DefaultBoot> read_default_boot(Guest& guest, const std::vector<MountEntry>& mounts) {
  KernelNames names(guest, mounts);
  VMPATCH_TRY(auto grub, from_grub(guest, names));
  if (grub) return std::move(*grub);
  VMPATCH_TRY(auto entry, from_systemd_boot(guest, names));
  if (entry) return std::move(*entry);
  return from_extlinux(guest, names);
}

}  // namespace vmpatch::guest
