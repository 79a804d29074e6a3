#pragma once
// Every step's counterpart and every check of a recipe, asked of a guest as it is now.

#include <string>
#include <vector>

#include "engine/findings.hpp"
#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

Result<Findings> ask_steps_and_checks(const Job& job, const recipe::PayloadStore& payloads, guest::Guest& guest,
                                      const guest::Facts& facts);

/// Where firstboot scripts live in the guest.
std::string firstboot_script(const recipe::step::Firstboot& step);
/// The unit set this very script aside after it ran.
Result<bool> firstboot_has_run(guest::Guest& guest, const recipe::step::Firstboot& step, const Digest& script);
inline constexpr const char* firstboot_unit_path = "/etc/systemd/system/vm-patch-firstboot.service";
inline constexpr const char* firstboot_unit = "vm-patch-firstboot.service";

}  // namespace vmpatch::engine
