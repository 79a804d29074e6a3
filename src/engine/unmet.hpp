#pragma once
// Every step's counterpart and every check of a recipe, asked of a guest as it is now.

#include <string>

#include "engine/findings.hpp"
#include "engine/placed_scripts.hpp"
#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

/// `placed`: a firstboot script that was set aside counts as run only if it is one of these.
Result<Findings> ask_steps_and_checks(const Job& job, const recipe::PayloadStore& payloads, guest::Guest& guest,
                                      const guest::Facts& facts, const PlacedScripts& placed);

/// Where firstboot scripts live in the guest.
std::string firstboot_script(const recipe::step::Firstboot& step);
/// The unit sets a script aside after it ran: this very one is there.
Result<bool> firstboot_has_run(guest::Guest& guest, const recipe::step::Firstboot& step, const Digest& script);
inline constexpr const char* firstboot_unit_path = "/etc/systemd/system/vm-patch-firstboot.service";
inline constexpr const char* firstboot_unit = "vm-patch-firstboot.service";

}  // namespace vmpatch::engine
