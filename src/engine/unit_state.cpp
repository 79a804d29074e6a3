#include "engine/unit_state.hpp"

namespace vmpatch::engine {
namespace {

constexpr const char* unit_tree = "/etc/systemd/system";

bool ends_with(const std::string& text, std::string_view end) { return text.ends_with(end); }

Result<std::optional<std::string>> link_target(guest::Guest& guest, const std::string& path) {
  auto stat = guest.lstat(path);
  if (!stat) {
    if (stat.error().code == Errc::not_found) return std::optional<std::string>();
    return stat.error();
  }
  if (stat->kind != guest::FileKind::symlink) return std::optional<std::string>();
  VMPATCH_TRY(auto target, guest.readlink(path));
  return std::optional<std::string>(std::move(target));
}

std::string base_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

}  // namespace

Result<UnitFacts> read_unit(guest::Guest& guest, const std::string& name) {
  UnitFacts facts;
  VMPATCH_TRY(const auto own, link_target(guest, std::string(unit_tree) + "/" + name));
  facts.masked = own && *own == "/dev/null";
  auto entries = guest.list(unit_tree);
  if (!entries) {
    if (entries.error().code == Errc::not_found) return facts;
    return entries.error();
  }
  for (const auto& entry : *entries) {
    const auto path = std::string(unit_tree) + "/" + entry.name;
    if (entry.kind == guest::FileKind::directory &&
        (ends_with(entry.name, ".wants") || ends_with(entry.name, ".requires"))) {
      VMPATCH_TRY(const auto link, link_target(guest, path + "/" + name));
      if (link) facts.enabled = true;
    } else if (entry.kind == guest::FileKind::symlink && entry.name != name) {
      VMPATCH_TRY(const auto alias, link_target(guest, path));
      if (alias && base_name(*alias) == name) facts.enabled = true;
    }
  }
  return facts;
}

bool holds(const UnitFacts& facts, recipe::step::UnitState wanted) {
  using State = recipe::step::UnitState;
  switch (wanted) {
    case State::enabled: return facts.enabled && !facts.masked;
    case State::disabled: return !facts.enabled;
    case State::masked: return facts.masked;
    case State::unmasked: return !facts.masked;
  }
  return false;
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
