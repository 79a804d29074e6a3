#pragma once
// CISA's catalogue of known exploited vulnerabilities:
//   {catalogVersion, dateReleased, count, vulnerabilities: [{cveID, dateAdded, knownRansomwareCampaignUse: Known|Unknown, …}]}

#include "advisory/byte_source.hpp"
#include "advisory/store.hpp"

namespace vmpatch::advisory {

/// Adds to known vulnerabilities only. Errors: not JSON, no "vulnerabilities".
Result<void> load_kev(ByteSource& source, Intake& intake);

}  // namespace vmpatch::advisory
