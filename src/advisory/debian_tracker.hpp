#pragma once
// The JSON export of Debian's security tracker (https://security-tracker.debian.org/tracker/data/json):
//   {SOURCE PACKAGE: {CVE-… or TEMP-…: {description, scope, debianbug, releases: {CODENAME: {status, repositories,
//   fixed_version, urgency, nodsa, nodsa_reason}}}}}
// status: resolved (fixed_version "0": never affected), open, undetermined. urgency: unimportant, low, medium, high, each maybe
// with "*", "not yet assigned", "end-of-life". nodsa: why there is no advisory; nodsa_reason: "", postponed, ignored.

#include "advisory/byte_source.hpp"
#include "advisory/store.hpp"

namespace vmpatch::advisory {

/// Errors: not JSON.
Result<void> load_debian_tracker(ByteSource& source, Intake& intake);

}  // namespace vmpatch::advisory
