#pragma once
// The executor: a recipe's steps on a writable guest, with services kept from starting.

#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

struct Patched {
  std::vector<std::string> kept_conffiles;
  std::vector<std::string> put_back;
};

/// Does every step in order, checks the file systems, and ends the guest in order. On an error the guest's disks (an overlay)
/// are worth nothing.
Result<Patched> patch_guest(const Environment& environment, const Job& job, const inventory::Machine& machine,
                            const guest::Facts& before, guest::WritableGuest& guest, bool has_payloads, Log& log);

}  // namespace vmpatch::engine
