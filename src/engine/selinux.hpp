#pragma once
// Labels of files in a guest with SELinux. What is replaced keeps its label; what is new in an appliance has none, as its kernel has no
// SELinux: then the guest's own policy labels everything at the next start.

#include "vmpatch/guest/guest.hpp"
#include "vmpatch/recipe/recipe.hpp"

namespace vmpatch::engine {

/// Asked before the step is done.
Result<bool> makes_new_files(guest::Guest& guest, const recipe::Step& step);
/// Leaves /.autorelabel where SELinux is on: enforcing or permissive in /etc/selinux/config, selinux(8). Whether it did.
Result<bool> leave_relabelling(guest::WritableGuest& guest);
/// The first line of /etc/selinux/config that libselinux and systemd understand says enforcing or permissive: a word after SELINUX=, in any
/// case, whatever follows it. Pure.
bool is_on(std::string_view config);

}  // namespace vmpatch::engine
