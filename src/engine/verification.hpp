#pragma once
// The proof after a patch: nothing that a package manager said counts here, only what the closed overlay shows.

#include <string>
#include <vector>

#include "engine/placed_scripts.hpp"
#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

struct Proof {
  std::vector<std::string> failures;  ///< empty = proven
  std::vector<std::string> checks;    ///< what was looked at
  ProofKind kind = ProofKind::delivered;
};

/// Compares the guest now with the plan and the facts before: package database, delivered files, every step and check, boot entries,
/// identity hygiene. `placed`: see ask_steps_and_checks().
Result<Proof> prove(const Job& job, const recipe::PayloadStore& payloads, const plan::Plan& plan,
                    const guest::Facts& before, guest::Guest& guest, const guest::Facts& after,
                    const PlacedScripts& placed);

/// Boot entries: every kernel that has modules has its image, an initrd where the others have one, and a place in
/// /boot/grub/grub.cfg if there is one. Failures, empty = fine.
std::vector<std::string> check_boot(const guest::Facts& before, const guest::Facts& after, std::string_view grub_cfg);

}  // namespace vmpatch::engine
