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

/// Units that start NAME.service unless their files say otherwise: systemd.socket(5), systemd.timer(5), systemd.path(5).
Result<std::vector<std::string>> triggers_of(guest::Guest& guest, const std::string& name) {
  std::vector<std::string> found;
  constexpr std::string_view suffix = ".service";
  if (!name.ends_with(suffix)) return found;
  for (const char* kind : {".socket", ".timer", ".path"}) {
    const auto trigger = name.substr(0, name.size() - suffix.size()) + kind;
    VMPATCH_TRY(const auto links, read_links(guest, trigger));
    if (links.there && !links.masked && !(links.own.empty() && links.shipped.empty())) found.push_back(trigger);
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
  VMPATCH_TRY(const auto links, read_links(guest, name));
  unit.masked = links.masked;
  unit.enabled = !links.own.empty();
  for (const auto& path : links.own) unit.starters.push_back(escape_untrusted(path));
  for (const auto& path : links.shipped) unit.starters.push_back(escape_untrusted(path));
  VMPATCH_TRY(auto legacy, legacy_starters(guest, facts, name, links.there));
  append(unit.starters, std::move(legacy));
  VMPATCH_TRY(auto triggers, triggers_of(guest, name));
  append(unit.starters, std::move(triggers));
  VMPATCH_TRY(auto presets, preset_starters(guest, facts, name, links.file));
  append(unit.starters, std::move(presets));
  VMPATCH_TRY(unit.unknown, generators_that_name(guest, name));
  if (facts.init != "systemd" && facts.init != "sysvinit" && facts.init != "openrc") {
    unit.unknown.push_back(facts.init.empty() ? "an unknown init system" : "the init system " + escape_untrusted(facts.init));
  }
  return unit;
}

std::optional<std::string> not_in_state(const UnitFacts& unit, recipe::step::UnitState wanted) {
  using State = recipe::step::UnitState;
  switch (wanted) {
    case State::enabled:
      if (unit.masked) return "it is masked";
      return unit.enabled ? std::nullopt : std::optional<std::string>("no link of its administrator wants it");
    case State::disabled:
      if (unit.enabled || (!unit.starters.empty() && !unit.masked)) return by("it is started", unit.starters);
      if (!unit.unknown.empty() && !unit.masked) return by("it may be started", unit.unknown) + ", which nobody can tell; mask it to be sure";
      return std::nullopt;
    case State::masked: return unit.masked ? std::nullopt : std::optional<std::string>("it has its unit file");
    case State::unmasked: return unit.masked ? std::optional<std::string>("it is masked") : std::nullopt;
  }
  return "its state is unknown";
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
