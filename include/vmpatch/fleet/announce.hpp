#pragma once
// Telling elsewhere what the newest audit rows are, so that whoever changes the records of this host is found out.

#include <functional>
#include <vector>

#include "vmpatch/fleet/invocation.hpp"
#include "vmpatch/ledger/anchor.hpp"
#include "vmpatch/policy/policy.hpp"

namespace vmpatch::fleet {

/// For StoreOptions::announce: to syslog and to the command, as configured. What fails is a warning: the commit is done.
std::function<void(const std::vector<ledger::Head>&)> announcer(Log& log, const policy::Audit& audit);

/// The anchor lies where the configuration says; without that it stays where it is. True: it was moved.
Result<bool> place_anchor(const Invocation& invocation, const policy::Audit& audit);

}  // namespace vmpatch::fleet
