#include "guest/boot.hpp"

#include <algorithm>

#include "guest/grub.hpp"
#include "guest/kernels.hpp"
#include "guest/loader_entries.hpp"
#include "guest/optional_files.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

constexpr std::uint64_t max_config = 1U << 20U;
constexpr std::uint64_t max_entry = 64U << 10U;
constexpr std::size_t max_entries = 200;
constexpr const char* entries_folder = "/boot/loader/entries";
constexpr const char* systemd_boot_config = "/boot/loader/loader.conf";

/// GRUB's environment block; nothing where there is one that cannot be read here: on some systems it is a link into the EFI
/// partition.
Result<std::optional<std::map<std::string, std::string>>> read_environment(Guest& guest, const std::string& folder) {
  using Values = std::optional<std::map<std::string, std::string>>;
  const std::string path = folder + "/grubenv";
  const auto info = guest.lstat(path);
  if (!info && info.error().code == Errc::not_found) return Values(std::in_place);
  if (!info || info->kind != FileKind::regular) return Values();
  VMPATCH_TRY(const auto text, read_lenient(guest, path, max_entry));
  return text ? Values(parse_grub_environment(*text)) : Values();
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
  KernelNames(Guest& guest, const std::vector<MountEntry>& mounts, const std::vector<Kernel>& kernels)
      : guest_(guest), kernels_(kernels),
        separate_boot_(std::any_of(mounts.begin(), mounts.end(), [](const MountEntry& m) { return m.where == "/boot" || m.where == "/boot/"; })) {}

  /// Version of the kernel, else its path in the guest; "" for what is no plain path.
  Result<std::string> name(std::string path) {
    // On btrfs the path starts with the subvolume: /@/boot/vmlinuz-6.1.
    if (path.starts_with("/@/")) path.erase(0, 2);
    if (path.empty() || path.find('$') != std::string::npos) return std::string();
    if (path.front() != '/') path = (separate_boot_ ? "/" : "/boot/") + path;
    const std::string there = separate_boot_ ? "/boot" + path : path;
    if (auto version = version_of(there); !version.empty()) return version;
    const auto target = guest_.readlink(there);
    if (target) {
      const std::string folder = there.substr(0, there.rfind('/') + 1);
      if (auto version = version_of(target->starts_with('/') ? *target : folder + *target); !version.empty()) return version;
    } else if (target.error().code != Errc::failed && target.error().code != Errc::not_found) {
      return target.error();
    }
    return there;
  }

 private:
  [[nodiscard]] std::string version_of(const std::string& path) const {
    // Loader entries count from the file system that holds /boot.
    const auto known = std::find_if(kernels_.begin(), kernels_.end(), [&](const Kernel& k) { return k.file == path || k.file == "/boot" + path; });
    if (known != kernels_.end()) return known->version;
    const std::string_view suffix = kernel_suffix(path);
    return std::string(is_kernel_version(suffix) ? suffix : std::string_view());
  }

  Guest& guest_;
  const std::vector<Kernel>& kernels_;
  bool separate_boot_;
};

Result<DefaultBoot> from_entry(KernelNames& names, const LoaderEntry& entry, const std::string& source) {
  VMPATCH_TRY(std::string kernel, names.name(entry.kernel));
  if (kernel.starts_with('/') && !entry.version.empty()) kernel = entry.version;
  return DefaultBoot{std::move(kernel), source};
}

std::string path_of(const LoaderEntry& entry) { return fmt::format("{}/{}", entries_folder, entry.file); }

/// The entries of the files, as GRUB's blscfg puts them into its menu.
std::vector<GrubEntry> to_grub(std::vector<LoaderEntry> entries) {
  sort_for_grub(entries);
  std::vector<GrubEntry> menu;
  for (LoaderEntry& entry : entries) {
    GrubEntry one;
    one.title = std::move(entry.title);
    one.id = std::move(entry.id);
    one.kernel = std::move(entry.kernel);
    one.loader_entry = std::move(entry.file);
    menu.push_back(std::move(one));
  }
  return menu;
}

Result<DefaultBoot> from_grub_config(Guest& guest, KernelNames& names, const std::string& folder, const std::string& text) {
  GrubConfig config = parse_grub_config(text);
  VMPATCH_TRY(const auto environment, read_environment(guest, folder));
  if (!environment && (config.one_time || config.chosen == "${saved_entry}")) return DefaultBoot();
  const std::string choice = grub_choice(config, environment.value_or(std::map<std::string, std::string>()));
  if (choice.find('$') != std::string::npos) return DefaultBoot();
  std::vector<LoaderEntry> files;
  if (config.loader_entries) {
    VMPATCH_TRY(files, read_entries(guest));
    add_loader_entries(config, to_grub(files));
  }
  const GrubEntry* entry = find_grub_entry(config, choice);
  if (entry == nullptr || entry->kernel.empty()) return DefaultBoot();
  const auto file = std::find_if(files.begin(), files.end(), [&](const LoaderEntry& e) { return e.file == entry->loader_entry; });
  if (file != files.end()) return from_entry(names, *file, path_of(*file));
  VMPATCH_TRY(std::string kernel, names.name(entry->kernel));
  return kernel.empty() ? DefaultBoot() : DefaultBoot{std::move(kernel), folder + "/grub.cfg"};
}

/// GRUB starts this guest, though its configuration is not where it is read here, but in the EFI partition.
Result<bool> has_traces_of_grub(Guest& guest) {
  VMPATCH_TRY(const bool other, exists(guest, systemd_boot_config));
  if (other) return false;
  for (const char* path : {"/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/boot/grub/grubenv", "/boot/grub2/grubenv", "/etc/grub2-efi.cfg",
                           "/etc/grub2.cfg"}) {
    VMPATCH_TRY(const bool there, exists(guest, path));
    if (there) return true;
  }
  return false;
}

Result<std::optional<DefaultBoot>> from_grub(Guest& guest, KernelNames& names) {
  for (const std::string folder : {"/boot/grub", "/boot/grub2"}) {
    VMPATCH_TRY(const auto text, read_lenient(guest, folder + "/grub.cfg", max_config));
    if (!text) continue;
    VMPATCH_TRY(auto boot, from_grub_config(guest, names, folder, *text));
    return std::optional(std::move(boot));
  }
  VMPATCH_TRY(const bool grub, has_traces_of_grub(guest));
  return grub ? std::optional(DefaultBoot()) : std::nullopt;
}

Result<std::optional<DefaultBoot>> from_systemd_boot(Guest& guest, KernelNames& names) {
  const std::string path = systemd_boot_config;
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

Result<DefaultBoot> read_default_boot(Guest& guest, const std::vector<MountEntry>& mounts, const std::vector<Kernel>& kernels) {
  KernelNames names(guest, mounts, kernels);
  VMPATCH_TRY(auto grub, from_grub(guest, names));
  if (grub) return std::move(*grub);
  VMPATCH_TRY(auto entry, from_systemd_boot(guest, names));
  if (entry) return std::move(*entry);
  return from_extlinux(guest, names);
}

}  // namespace vmpatch::guest
