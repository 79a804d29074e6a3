#pragma once
// Debian's control paragraphs, relation fields and changelogs (deb822, deb-control, deb-changelog). Pure.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/result.hpp"

namespace vmpatch::recipe {

/// One paragraph; continuation lines keep their line breaks. Errc::failed for anything else, and for a repeated field.
Result<std::map<std::string, std::string>> parse_control(std::string_view text, std::string_view name);

/// Package names of a relation field (Depends, Pre-Depends, Provides), alternatives included, without versions.
std::vector<std::string> relation_names(std::string_view field);

/// CVE ids of the first entry of a changelog, sorted, each once.
std::vector<std::string> newest_cves(std::string_view changelog);

}  // namespace vmpatch::recipe
