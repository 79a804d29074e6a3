#pragma once
// What starts a unit besides links to it. Lines are safe for a terminal.

#include "engine/unit_links.hpp"
#include "vmpatch/guest/facts.hpp"

namespace vmpatch::engine {

/// Start links of SysV init for a service of one of these names. Systemd makes such services of scripts that have no unit of their own, under
/// the script's name without ".sh" and under those that it provides: systemd-sysv-generator(8).
Result<std::vector<std::string>> sysv_starters(guest::Guest& guest, const std::set<std::string>& names, bool by_systemd);
/// Run levels of OpenRC.
Result<std::vector<std::string>> openrc_starters(guest::Guest& guest, const std::set<std::string>& names);
/// Of a machine whose next start is its first boot (machine-id(5)): what its presets will enable. `file` is the unit's.
Result<std::vector<std::string>> preset_starters(guest::Guest& guest, const guest::Facts& facts, const std::string& name,
                                                 const std::string& file);
/// Generators that hold a name of the unit: programs, whose outcome nobody can tell. Remarks of scripts do not count, nor folders that are
/// named after the unit.
Result<std::vector<std::string>> generators_that_name(guest::Guest& guest, const std::set<std::string>& names);
/// Whether the text of a program holds the name in that sense. Pure.
bool names_unit(std::string_view program, std::string_view name);
/// What the header of an init script says after "Provides:" (Linux Standard Base, "Comment Conventions for Init Scripts"). Pure.
std::vector<std::string> provided_by(std::string_view script);

/// What the first rule for a unit in preset files says, in the order of reading: "enable", "disable" or "ignore"; without any it is
/// "enable". Pure.
std::string preset_of(const std::vector<std::string>& files, const std::string& name);

}  // namespace vmpatch::engine
