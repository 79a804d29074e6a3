#pragma once
// systemd unit states read from the unit file tree, as `systemctl --root` does (systemd.unit(5)).

#include "vmpatch/guest/guest.hpp"
#include "vmpatch/recipe/recipe.hpp"

namespace vmpatch::engine {

struct UnitFacts {
  bool masked = false;   ///< /etc/systemd/system/NAME or /run… is a link to /dev/null
  bool enabled = false;  ///< a *.wants, *.requires or alias link below /etc/systemd/system leads to it
};

Result<UnitFacts> read_unit(guest::Guest& guest, const std::string& name);
[[nodiscard]] bool holds(const UnitFacts& facts, recipe::step::UnitState wanted);
[[nodiscard]] std::string_view word(recipe::step::UnitState state);

}  // namespace vmpatch::engine
