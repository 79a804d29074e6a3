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

constexpr std::array<std::pair<RunState, RunState>, 22> transitions{{
    // forward by one          given up before the base was touched
    {planned, leased},         {planned, discarded},       {planned, failed},
    {leased, staged},          {leased, discarded},        {leased, failed},
    {staged, patched},         {staged, discarded},        {staged, failed},
    {patched, verified},       {patched, discarded},       {patched, failed},
    {verified, committing},    {verified, discarded},      {verified, failed},
    // the base is being written: to the new, to the old (the way back was taken), or a human decides
    {committing, committed},   {committing, discarded},    {committing, failed},       {committing, quarantined},
    {committed, attested},
    {quarantined, committing}, {quarantined, discarded},
}};

}  // namespace

std::string_view to_string(RunState state) {
  for (const auto& [value, name] : names) {
    if (value == state) return name;
  }
  return "unknown";
}

Result<RunState> parse_run_state(std::string_view text) {
  for (const auto& [value, name] : names) {
    if (name == text) return value;
  }
  return fail(Errc::failed, "not a run state: '{}'", escape_untrusted(text));
}

bool may_follow(RunState from, RunState to) {
  return std::ranges::find(transitions, std::pair(from, to)) != transitions.end();
}

bool is_final(RunState state) { return state == attested || state == discarded || state == failed; }

}  // namespace vmpatch::ledger
