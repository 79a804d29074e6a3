#include "guest/root_choice.hpp"

#include <algorithm>

#include "guest/mount_options.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

using Group = std::vector<const RootCandidate*>;

bool is_btrfs(const RootCandidate& candidate) { return candidate.file_system.type == "btrfs"; }

/// The devices of one btrfs share its UUID.
bool same_file_system(const RootCandidate& a, const RootCandidate& b) {
  return is_btrfs(a) && is_btrfs(b) && !a.file_system.uuid.empty() && a.file_system.uuid == b.file_system.uuid;
}

bool is_snapshot(const RootCandidate& candidate) {
  return candidate.read_only || is_snapshot_path(candidate.file_system.subvolume);
}

bool names_itself(const RootCandidate& candidate) {
  return std::any_of(candidate.fstab.begin(), candidate.fstab.end(), [&](const MountEntry& entry) {
    return entry.where == "/" && asks_for_subvolume(entry) && is_subvolume_of(entry, candidate.file_system);
  });
}

/// What of one file system may be the root: one, several where nothing tells which, or none.
Group choose_in(const Group& group) {
  if (!is_btrfs(*group.front())) return group;
  for (const RootCandidate* candidate : group) {
    if (candidate->file_system.is_default_subvolume()) return {candidate};
  }
  Group rest;
  std::copy_if(group.begin(), group.end(), std::back_inserter(rest), [](const RootCandidate* c) { return !is_snapshot(*c); });
  Group named;
  std::copy_if(rest.begin(), rest.end(), std::back_inserter(named), [](const RootCandidate* c) { return names_itself(*c); });
  return named.empty() ? rest : named;
}

std::string describe(const std::vector<FileSystem>& all) {
  std::string text;
  for (const FileSystem& fs : all) {
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", escape_untrusted(fs.device), fs.type.empty() ? "not recognised" : escape_untrusted(fs.type));
  }
  return text.empty() ? "the machine's disks: there is no file system" : text;
}

}  // namespace

bool is_snapshot_path(std::string_view subvolume) {
  const auto parts = split(subvolume, '/');
  return std::any_of(parts.begin(), parts.end(), [](std::string_view part) {
    return part == ".snapshots" || part == "timeshift" || part == "timeshift-btrfs";
  });
}

Result<FileSystem> choose_root(const std::vector<RootCandidate>& candidates) {
  std::vector<Group> groups;
  for (const RootCandidate& candidate : candidates) {
    const auto group =
        std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return same_file_system(*g.front(), candidate); });
    if (group == groups.end()) groups.push_back({&candidate});
    else group->push_back(&candidate);
  }
  Group chosen;
  for (const Group& group : groups) {
    const Group of_group = choose_in(group);
    chosen.insert(chosen.end(), of_group.begin(), of_group.end());
  }
  if (chosen.size() == 1) return chosen.front()->file_system;
  if (chosen.empty()) return fail(Errc::not_found, "no operating system found");
  std::string names;
  for (const RootCandidate* one : chosen) {
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", escape_untrusted(one->file_system.device),
                         escape_untrusted(one->file_system.type));
  }
  return fail(Errc::refused,
              "several operating systems found: {}; vm-patch works on machines with one: give the other a machine of its own", names);
}

Error no_root(const std::vector<FileSystem>& all, const std::string& trouble) {
  const std::string names = describe(all);
  const auto encrypted = std::find_if(all.begin(), all.end(), [](const FileSystem& fs) { return is_encrypted_type(fs.type); });
  if (encrypted != all.end()) {
    return fail(Errc::refused, "no operating system found on {}: {} is encrypted; patch the machine while it runs", names, escape_untrusted(encrypted->device));
  }
  if (!trouble.empty()) return fail(Errc::refused, "no operating system found on {}: {}", names, trouble);
  if (std::any_of(all.begin(), all.end(), [](const FileSystem& fs) { return fs.type == "ntfs"; })) {
    return fail(Errc::refused, "no operating system found on {}: vm-patch reads no system on NTFS (Windows)", names);
  }
  return fail(Errc::refused, "no operating system found on {}; check that it is the machine's system disk, and its format", names);
}

}  // namespace vmpatch::guest
