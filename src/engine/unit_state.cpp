#include "engine/unit_state.hpp"

#include <algorithm>

#include "engine/unit_starters.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

void append(std::vector<std::string>& all, std::vector<std::string> more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

constexpr std::string_view service = ".service";

/// Units that start NAME.service unless their files say otherwise: systemd.socket(5), systemd.timer(5), systemd.path(5).
Result<std::vector<std::string>> triggers_of(guest::Guest& guest, const std::set<std::string>& names) {
  std::vector<std::string> found;
  for (const auto& name : names) {
    if (!name.ends_with(service)) continue;
    for (const char* kind : {".socket", ".timer", ".path"}) {
      const auto trigger = name.substr(0, name.size() - service.size()) + kind;
      VMPATCH_TRY(const auto links, read_links(guest, trigger));
      if (links.there && !links.masked && !(links.own.empty() && links.shipped.empty())) found.push_back(escape_untrusted(trigger));
    }
  }
  return found;
}

std::string by(std::string_view how, const std::vector<std::string>& what) {
  constexpr std::size_t most = 3;
  const auto end = what.begin() + static_cast<std::ptrdiff_t>(std::min(what.size(), most));
  return fmt::format("{} by {}{}", how, fmt::join(what.begin(), end, ", "), what.size() > most ? " and more" : "");
}

}  // namespace

Result<UnitFacts> read_unit(guest::Guest& guest, const guest::Facts& facts, const std::string& name) {
  UnitFacts unit;
  unit.init = facts.init;
  const bool by_systemd = facts.init == "systemd";
  VMPATCH_TRY(const auto links, read_links(guest, name));
  unit.there = links.there;
  unit.masked = links.masked && by_systemd;
  unit.enabled = !links.own.empty();
  for (const auto& path : links.own) unit.starters.push_back(escape_untrusted(path));
  for (const auto& path : links.shipped) unit.fixed.push_back(escape_untrusted(path));
  VMPATCH_TRY(auto scripts, sysv_starters(guest, links.names, by_systemd));
  append(unit.starters, std::move(scripts));
  if (!by_systemd) {
    VMPATCH_TRY(auto levels, openrc_starters(guest, links.names));
    append(unit.fixed, std::move(levels));
  }
  VMPATCH_TRY(unit.triggers, triggers_of(guest, links.names));
  VMPATCH_TRY(auto presets, preset_starters(guest, facts, name, links.file));
  append(unit.fixed, std::move(presets));
  VMPATCH_TRY(unit.unknown, generators_that_name(guest, links.names));
  if (!by_systemd && facts.init != "sysvinit" && facts.init != "openrc") {
    unit.unknown.push_back(facts.init.empty() ? "an unknown init system" : "the init system " + escape_untrusted(facts.init));
  }
  return unit;
}

std::optional<std::string> not_in_state(const UnitFacts& unit, recipe::step::UnitState wanted) {
  using State = recipe::step::UnitState;
  const bool by_systemd = unit.init == "systemd";
  if (!by_systemd && (wanted == State::enabled || wanted == State::masked)) {
    return fmt::format("{} starts this machine, and only systemd's services can be {}", unit.init.empty() ? "an unknown init system" : escape_untrusted(unit.init), word(wanted));
  }
  switch (wanted) {
    case State::enabled:
      if (unit.masked) return "it is masked";
      if (!unit.there) return "it has no unit file";
      return unit.enabled ? std::nullopt : std::optional<std::string>("no link of its administrator wants it");
    case State::disabled:
      if (unit.masked) return std::nullopt;
      if (!unit.starters.empty()) return by("it is started", unit.starters);
      for (const auto* others : {&unit.fixed, &unit.triggers}) {
        if (!others->empty()) return by("it is started", *others) + (by_systemd ? "; mask it to be sure" : "");
      }
      if (!unit.unknown.empty()) return by("it may be started", unit.unknown) + ", which nobody can tell" + (by_systemd ? "; mask it to be sure" : "");
      return std::nullopt;
    case State::masked: return unit.masked ? std::nullopt : std::optional<std::string>("it has its unit file");
    case State::unmasked: return unit.masked ? std::optional<std::string>("it is masked") : std::nullopt;
  }
  return "its state is unknown";
}

bool is_out_of_reach(const UnitFacts& unit, recipe::step::UnitState wanted) {
  using State = recipe::step::UnitState;
  if (unit.init != "systemd") return not_in_state(unit, wanted).has_value();
  return wanted == State::disabled && !unit.masked && !(unit.fixed.empty() && unit.unknown.empty());
}

std::string_view word(recipe::step::UnitState state) {
  using State = recipe::step::UnitState;
  switch (state) {
    case State::enabled: return "enabled";
    case State::disabled: return "disabled";
    case State::masked: return "masked";
    case State::unmasked: return "unmasked";
  }
  return "";
}

}  // namespace vmpatch::engine
