#include <gtest/gtest.h>

#include <map>
#include <set>

#include "vmpatch/ledger/records.hpp"

namespace vmpatch::ledger {
namespace {

using enum RunState;

const std::vector<RunState> all{planned,    leased,    staged,   patched,   verified, committing,
                                committed, attested, discarded, failed,   quarantined};

// Written a second time on purpose, from what the states mean and not from the code.
const std::map<RunState, std::set<RunState>> expected{
    {planned, {leased, discarded, failed}},   {leased, {staged, discarded, failed}},
    {staged, {patched, discarded, failed}},   {patched, {verified, discarded, failed}},
    {verified, {committing, discarded, failed}}, {committing, {committing, committed, quarantined, discarded, failed}},
    {committed, {attested}},                  {attested, {}},
    {discarded, {}},                          {failed, {}},
    {quarantined, {committing, discarded}},
};

TEST(RunStates, every_pair_follows_the_table) {
  for (const RunState from : all) {
    for (const RunState to : all) {
      EXPECT_EQ(may_follow(from, to), expected.at(from).contains(to)) << to_string(from) << " to " << to_string(to);
    }
  }
}

TEST(RunStates, final_states_are_those_that_nothing_follows) {
  for (const RunState state : all) EXPECT_EQ(is_final(state), expected.at(state).empty()) << to_string(state);
}

TEST(RunStates, every_name_parses_back) {
  std::set<std::string_view> names;
  for (const RunState state : all) {
    names.insert(to_string(state));
    const auto parsed = parse_run_state(to_string(state));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, state);
  }
  EXPECT_EQ(names.size(), all.size());
}

TEST(UndoStates, every_name_parses_back_and_no_other) {
  std::set<std::string_view> names;
  for (const UndoState state : {UndoState::kept, UndoState::in_use, UndoState::spent, UndoState::expired}) {
    names.insert(to_string(state));
    const auto parsed = parse_undo_state(to_string(state));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, state);
  }
  EXPECT_EQ(names.size(), 4U);
  EXPECT_FALSE(parse_undo_state("in use"));
}

TEST(RunStates, unknown_name_is_an_error) {
  for (const char* text : {"", "Planned", "planned ", "done"}) EXPECT_FALSE(parse_run_state(text)) << text;
}

}  // namespace
}  // namespace vmpatch::ledger
