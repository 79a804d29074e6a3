#include <algorithm>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {
namespace {

/// Files of identity are small; a forged one must not cost minutes.
constexpr std::uint64_t max_digested = 1U << 20U;
/// Each costs round trips to the guest; an honest one has one for each of some four algorithms.
constexpr std::size_t max_host_keys = 64;
constexpr std::string_view machine_id_path = "/etc/machine-id";

Result<std::vector<std::string>> identity_paths(Guest& guest) {
  std::vector<std::string> paths{std::string(machine_id_path), "/var/lib/dbus/machine-id", "/etc/resolv.conf",
                                 "/etc/hostname", "/usr/sbin/policy-rc.d"};
  auto entries = guest.list("/etc/ssh");
  if (!entries) {
    if (entries.error().code == Errc::not_found) return paths;
    return entries.error();
  }
  std::size_t keys = 0;
  for (const DirEntry& entry : *entries) {
    if (!entry.name.starts_with("ssh_host_") || !entry.name.ends_with("_key")) continue;
    if (++keys > max_host_keys) {
      return fail(Errc::failed, "/etc/ssh holds more than {} host keys (ssh_host_*_key); remove those that are not in use", max_host_keys);
    }
    paths.push_back("/etc/ssh/" + entry.name);
  }
  return paths;
}

Result<MachineId> read_machine_id(Guest& guest) {
  auto text = guest.read(std::string(machine_id_path), 64U << 10U);
  if (!text) {
    if (text.error().code == Errc::not_found) return MachineId::missing;
    return text.error();
  }
  const std::string_view content = trim(*text);
  if (content.empty()) return MachineId::empty;
  return content == "uninitialized" ? MachineId::uninitialized : MachineId::set;
}

}  // namespace

std::string_view to_string(MachineId state) {
  switch (state) {
    case MachineId::missing: return "missing";
    case MachineId::empty: return "empty";
    case MachineId::uninitialized: return "uninitialized";
    case MachineId::set: return "set";
  }
  return "missing";
}

Result<Identity> read_identity(Guest& guest) {
  Identity identity;
  VMPATCH_TRY(identity.machine_id, read_machine_id(guest));
  VMPATCH_TRY(const std::vector<std::string> paths, identity_paths(guest));
  std::vector<std::string> regular;
  for (const std::string& path : paths) {
    auto info = guest.lstat(path);
    if (!info) {
      if (info.error().code != Errc::not_found) return info.error();
      identity.files[path] = "absent";
    } else if (info->kind == FileKind::symlink) {
      VMPATCH_TRY(const std::string target, guest.readlink(path));
      identity.files[path] = "link:" + target;
    } else if (info->kind == FileKind::regular && info->size > max_digested) {
      identity.files[path] = fmt::format("{} bytes", info->size);
    } else if (info->kind == FileKind::regular) {
      regular.push_back(path);
    } else {
      identity.files[path] = "not a file";
    }
  }
  VMPATCH_TRY(const auto digests, guest.digests(regular));
  if (digests.size() != regular.size()) return fail(Errc::failed, "the guest gave {} digests for {} files", digests.size(), regular.size());
  for (std::size_t i = 0; i < regular.size(); ++i) {
    identity.files[regular[i]] = digests[i] ? "sha256:" + digests[i]->hex() : "absent";
  }
  return identity;
}

std::vector<std::string> identity_changes(const Identity& before, const Identity& after) {
  std::vector<std::string> changes;
  if (before.machine_id != after.machine_id) {
    changes.push_back(fmt::format("machine-id state: {} → {}", to_string(before.machine_id), to_string(after.machine_id)));
  }
  std::map<std::string, std::pair<std::string, std::string>> both;
  for (const auto& [path, state] : before.files) both[path].first = state;
  for (const auto& [path, state] : after.files) both[path].second = state;
  for (auto& [path, states] : both) {
    auto& [old_state, new_state] = states;
    if (old_state.empty()) old_state = "absent";
    if (new_state.empty()) new_state = "absent";
    if (old_state == new_state) continue;
    changes.push_back(fmt::format("{}: {} → {}", escape_untrusted(path), escape_untrusted(old_state), escape_untrusted(new_state)));
  }
  return changes;
}

}  // namespace vmpatch::guest
