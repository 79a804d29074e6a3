#pragma once
// Boot loader entries as one file each (UAPI group, "Boot Loader Specification", type 1), and which one is started.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vmpatch::guest {

struct LoaderEntry {
  std::string file;  ///< its name
  std::string id;    ///< name of the file without ".conf" and without the boot counter "+3-1"
  std::string title, version, sort_key, machine_id;
  std::string kernel;  ///< value of linux
  std::optional<unsigned> tries_left;  ///< of the boot counter; nothing = it is not counted
};

/// Id that a file name stands for; "" when the name does not end in ".conf".
std::string loader_entry_id(std::string_view file_name);
LoaderEntry parse_loader_entry(std::string_view file_name, std::string_view text);

/// As GRUB's blscfg lists them: newest name first.
void sort_for_grub(std::vector<LoaderEntry>& entries);
/// As systemd-boot lists them: those without a try left last; by sort-key, machine-id and newest version; entries without a sort-key last, newest name first.
void sort_for_systemd_boot(std::vector<LoaderEntry>& entries);

/// `default` of loader.conf: a pattern of ids; "" = none. "@saved" and the like are kept outside of the disk.
std::string loader_default(std::string_view loader_conf);

/// extlinux/syslinux: the kernel of the label that starts by itself; "" = unknown. (SYSLINUX documentation, "Config".)
std::string extlinux_kernel(std::string_view config);

}  // namespace vmpatch::guest
