#pragma once
// What starts a unit besides links to it. Lines are safe for a terminal.

#include "engine/unit_links.hpp"
#include "vmpatch/guest/facts.hpp"

namespace vmpatch::engine {

/// Start links of SysV init (where no unit of systemd takes the script's place), and run levels of OpenRC.
Result<std::vector<std::string>> legacy_starters(guest::Guest& guest, const guest::Facts& facts, const std::string& name, bool has_unit);
/// Of a machine whose next start is its first boot (machine-id(5)): what its presets will enable. `file` is the unit's.
Result<std::vector<std::string>> preset_starters(guest::Guest& guest, const guest::Facts& facts, const std::string& name,
                                                 const std::string& file);
/// Generators that hold the unit's name: programs, whose outcome nobody can tell.
Result<std::vector<std::string>> generators_that_name(guest::Guest& guest, const std::string& name);

/// What the first rule for a unit in preset files says, in the order of reading: "enable", "disable" or "ignore"; without any it is
/// "enable". Pure.
std::string preset_of(const std::vector<std::string>& files, const std::string& name);

}  // namespace vmpatch::engine
