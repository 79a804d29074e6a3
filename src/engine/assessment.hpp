#pragma once

#include "vmpatch/engine/engine.hpp"
#include "vmpatch/reading/disks.hpp"

namespace vmpatch::engine {

/// A plan with what it rests on. `facts` and `identities` are empty when obstacles kept the disks from being read.
struct Assessment {
  plan::Plan plan;
  std::optional<guest::Facts> facts;
  reading::Identities identities;
};

Result<Assessment> assess_fully(const Environment& environment, const Job& job, const inventory::Machine& machine);

}  // namespace vmpatch::engine
