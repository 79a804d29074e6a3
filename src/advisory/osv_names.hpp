#pragma once
// How an OSV record names what it is about, and how it rates it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "advisory/store.hpp"

namespace vmpatch::advisory {

/// "DEBIAN-CVE-2024-1" → "CVE-2024-1": databases that make one record for each CVE name it after it. "" for any other id.
std::string_view cve_in(std::string_view id);

/// "SUSE-SU-403 Forbidden-1" is a record of SUSE's: spaces become underscores.
std::string osv_id(const Json& record);

/// With every CVE that the record or a release of it names.
RecordIds osv_ids(const Json& record);

/// Ubuntu tells which of a notice's CVEs each release is about (affected[].database_specific.cves_map). Empty where it does not.
std::vector<std::string> osv_release_cves(const Json& affected);

/// One element of "severity". Nothing for a score that is not understood.
std::optional<Rating> osv_rating(const Json& severity);

/// `what`: whose word it is, "urgency".
std::optional<Rating> osv_word_rating(std::string_view what, const std::string& word);

}  // namespace vmpatch::advisory
