#include <algorithm>
#include <array>

#include "vmpatch/core/text.hpp"
#include "vmpatch/ledger/records.hpp"

namespace vmpatch::ledger {
namespace {

using enum RunState;

constexpr std::array<std::pair<RunState, std::string_view>, 11> names{{
    {planned, "planned"},
    {leased, "leased"},
    {staged, "staged"},
    {patched, "patched"},
    {verified, "verified"},
    {committing, "committing"},
    {committed, "committed"},
    {attested, "attested"},
    {discarded, "discarded"},
    {failed, "failed"},
    {quarantined, "quarantined"},
}};

constexpr std::array<std::pair<UndoState, std::string_view>, 4> undo_names{{
    {UndoState::kept, "kept"},
    {UndoState::in_use, "in_use"},
    {UndoState::spent, "spent"},
    {UndoState::expired, "expired"},
}};

constexpr std::array<std::pair<RunState, RunState>, 23> transitions{{
    // forward by one          given up before the base was touched
    {planned, leased},         {planned, discarded},       {planned, failed},
    {leased, staged},          {leased, discarded},        {leased, failed},
    {staged, patched},         {staged, discarded},        {staged, failed},
    {patched, verified},       {patched, discarded},       {patched, failed},
    {verified, committing},    {verified, discarded},      {verified, failed},
    // the base is being written: to the new, to the old (the way back was taken), or a human decides
    {committing, committed},   {committing, discarded},    {committing, failed},       {committing, quarantined},
    {committing, committing},  // the direction is changed
    {committed, attested},
    {quarantined, committing}, {quarantined, discarded},
}};

template <class Names, class State>
std::string_view name_of(const Names& all, State state) {
  for (const auto& [value, name] : all) {
    if (value == state) return name;
  }
  return "unknown";
}

template <class State, std::size_t Size>
Result<State> parse_name(const std::array<std::pair<State, std::string_view>, Size>& all, std::string_view text, std::string_view what) {
  for (const auto& [value, name] : all) {
    if (name == text) return value;
  }
  return fail(Errc::failed, "not a {}: '{}'", what, escape_untrusted(text));
}

}  // namespace

std::string_view to_string(RunState state) { return name_of(names, state); }
std::string_view to_string(UndoState state) { return name_of(undo_names, state); }
Result<RunState> parse_run_state(std::string_view text) { return parse_name(names, text, "run state"); }
Result<UndoState> parse_undo_state(std::string_view text) { return parse_name(undo_names, text, "state of an undo"); }

bool may_follow(RunState from, RunState to) {
  return std::ranges::find(transitions, std::pair(from, to)) != transitions.end();
}

bool is_final(RunState state) { return state == attested || state == discarded || state == failed; }

}  // namespace vmpatch::ledger
