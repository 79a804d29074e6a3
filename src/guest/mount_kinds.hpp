#pragma once
// What an entry of fstab(5) does to the tree that a guest has when it runs.

#include <optional>
#include <string>

#include "vmpatch/core/result.hpp"
#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {

enum class MountKind {
  nothing,     ///< swap, a folder over itself, what is mounted by hand only, the kernel's own file systems where they always are
  device,      ///< a file system that a disk has to bring
  bind,        ///< another folder or file of the guest is seen there
  memory,      ///< what the disk has there is hidden by nothing: tmpfs, proc
  unreadable,  ///< what the disk has there is hidden by what no disk of the machine holds, or what no adapter can join
};

struct MountReading {
  MountKind kind = MountKind::nothing;
  std::string why{};  ///< of memory and unreadable: "is …; WAY OUT"
};

/// `where`: the entry's mount point, clean. "noauto" is by hand unless systemd mounts it all the same (systemd.mount(5): x-systemd.automount,
/// x-systemd.wanted-by=, x-systemd.required-by=); at a vital place it is unreadable, because nobody can tell what was meant.
MountReading read_mount(const MountEntry& entry, const std::string& where);

/// Without empty and "." parts; nothing for what is not absolute or has "..".
std::optional<std::string> clean_path(std::string_view path);

/// `path` is `folder` or lies below it; both clean.
bool is_at_or_below(std::string_view path, std::string_view folder);

}  // namespace vmpatch::guest
