#pragma once
// What makes a service start, read from a guest's files: systemd.unit(5), systemd.generator(7), systemd.preset(5), systemd-sysv-generator(8).
// Not counted is what starts it on demand by D-Bus, and other units that want it by their own files: no state of the recipe speaks of that.

#include "vmpatch/guest/facts.hpp"
#include "vmpatch/guest/guest.hpp"
#include "vmpatch/recipe/recipe.hpp"

namespace vmpatch::engine {

struct UnitFacts {
  std::string init;      ///< as Facts::init
  bool there = false;    ///< a unit file of it
  bool masked = false;   ///< the first unit file of that name leads to /dev/null, or is empty, and systemd starts the machine
  bool enabled = false;  ///< a *.wants, *.requires, *.upholds or alias link that an administrator or `systemctl enable` made
  /// What starts it and `systemctl disable` takes away: these links, and start links of SysV init. One line each, safe for a terminal.
  std::vector<std::string> starters;
  std::vector<std::string> triggers;  ///< enabled sockets, timers and paths of one of its names; another step may disable them
  /// What starts it besides, and no step but a mask changes: the distribution's own links, OpenRC, the presets of a first boot.
  std::vector<std::string> fixed;
  /// What may start it, and nobody can tell from files: generators that name it.
  std::vector<std::string> unknown;
};

Result<UnitFacts> read_unit(guest::Guest& guest, const guest::Facts& facts, const std::string& name);

/// Why the unit is not in that state, in words; nothing where it is. A unit that is masked does not start, whatever else is there.
std::optional<std::string> not_in_state(const UnitFacts& unit, recipe::step::UnitState wanted);
/// No `service` step of that state can bring the unit into it.
[[nodiscard]] bool is_out_of_reach(const UnitFacts& unit, recipe::step::UnitState wanted);
[[nodiscard]] std::string_view word(recipe::step::UnitState state);

}  // namespace vmpatch::engine
