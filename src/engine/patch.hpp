#pragma once
// The executor: a recipe's steps on a writable guest, with services kept from starting.

#include "engine/placed_scripts.hpp"
#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

struct Patched {
  std::vector<std::string> kept_conffiles;
  std::vector<std::string> put_back;  ///< see Report
  std::vector<std::string> remarks;
};

struct PatchContext {
  const Environment& environment;
  const Job& job;
  const inventory::Machine& machine;
  const guest::Facts& before;
  const PlacedScripts& placed;
  bool has_payloads = false;
  Log& log;
};

/// Does every step in order, checks the file systems, and ends the guest in order. On an error the guest's disks (an overlay)
/// are worth nothing.
Result<Patched> patch_guest(const PatchContext& context, guest::WritableGuest& guest);

}  // namespace vmpatch::engine
