#pragma once
// PURE: what an allowed start opens, and what its end leaves to the next one.

#include <string>
#include <string_view>

#include "vmpatch/gate/decision.hpp"
#include "vmpatch/gate/identities.hpp"

namespace vmpatch::gate {

/// The custody that an allowed start opens. Of a restore: the disks of the definition stay those of the run before, whatever was
/// plugged into the machine or pulled out of it while it ran.
ledger::Custody open_custody(const Input& input, std::string_view operation);

/// A `prepare` or `started` of this machine was allowed just now and its end is still to come.
bool is_fresh(const ledger::Custody& custody, const std::string& boot_id, Time now);
/// The `restore` just before this `prepare` decided for it, over the same disks.
bool takes_over_restore(const Input& input);

/// All disks, as the allowed start found them.
const Json& disks_at_start(const ledger::Custody& custody);

/// What the next cold start has to find after the machine ran: its disks as they are `now`. A disk that was plugged into the
/// running machine is no part of it. One that was pulled out, or that is another disk now, stays as it was when the start was
/// allowed: nobody saw who wrote to it since.
Json disks_after_run(const ledger::Custody& custody, const Identities& now);

/// For whoever has the definition of a saved machine only, not the XML that libvirt saved with its memory: leaves out of `saved`
/// the disks that were plugged in while it ran, and out of the machine those that were pulled out.
void fit_to_saved(inventory::Machine& machine, Json& saved, const ledger::Custody& custody);

}  // namespace vmpatch::gate
