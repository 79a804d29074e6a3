#pragma once
// The folders that systemd reads units from, and the links in them.

#include <array>
#include <set>
#include <string>
#include <vector>

#include "vmpatch/guest/guest.hpp"

namespace vmpatch::engine {

/// By precedence: systemd.unit(5), "Unit File Load Path". /run is empty when a system starts.
inline constexpr std::array<std::string_view, 6> unit_folders{
    "/etc/systemd/system.control",     "/etc/systemd/system",     "/etc/systemd/system.attached",
    "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"};
[[nodiscard]] bool of_administrator(std::string_view folder);  ///< below /etc

/// Entries of a folder; none where it is missing.
Result<std::vector<guest::DirEntry>> entries_of(guest::Guest& guest, const std::string& folder);
/// lstat; nothing where it is missing.
Result<std::optional<guest::FileStat>> look_at(guest::Guest& guest, const std::string& path);
/// A link to /dev/null, however it is written, or to an empty file or a device, or one of these itself: systemd takes each for "masked".
Result<bool> is_null(guest::Guest& guest, const std::string& path, const guest::FileStat& stat);
std::string base_name(const std::string& path);

struct UnitLinks {
  std::set<std::string> names;        ///< of the unit: the one that was asked for, what that leads to, and all that lead there
  bool masked = false;
  bool there = false;                 ///< a unit file of it, or of its template, is in one of the folders
  std::string file;                   ///< the first one
  std::vector<std::string> own;       ///< links below /etc that start it
  std::vector<std::string> shipped;   ///< links of the distribution that start it
};
Result<UnitLinks> read_links(guest::Guest& guest, const std::string& name);

}  // namespace vmpatch::engine
