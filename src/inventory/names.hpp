#pragma once
// How machines and disks are called in messages, and which disks can be opened at all.

#include <string>

#include "vmpatch/inventory/machine.hpp"

namespace vmpatch::inventory {

/// machine NAME, or image PATH; escaped.
[[nodiscard]] std::string shown_name(const Machine& machine);
/// Its name for -d in a command that a reader copies into a shell; the UUID where the name needs quotes there.
[[nodiscard]] std::string shown_in_command(const Machine& machine);
/// disk TARGET of machine NAME, or image PATH.
[[nodiscard]] std::string shown_disk(const Machine& machine, const Disk& disk);

/// "DISK: problem"; a problem that begins with the disk's own name stands alone.
[[nodiscard]] std::string shown_problem(const Machine& machine, const Disk& disk);

/// Full message: the disk stands on a file out of reach, so it may stand on any other.
[[nodiscard]] std::string name_unopened(const Machine& machine, const Disk& disk, const fs::path& file);

/// Errc::refused, as open_disk_chain says, where the model alone tells that the disk cannot be opened.
Result<void> check_usable(const Machine& machine, const Disk& disk);

/// Only after check_usable(); messages name the image, not the disk.
Result<image::Chain> open_chain(const Disk& disk, const std::vector<fs::path>& allowed_dirs);

}  // namespace vmpatch::inventory
