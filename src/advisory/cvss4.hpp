#pragma once

#include <map>
#include <optional>
#include <string_view>

namespace vmpatch::advisory {

/// CVSS-B score of version 4.0 (specification, section 8): threat and environmental metrics are taken as not defined. Nothing
/// when a base metric is missing or has an unknown value.
std::optional<double> base_score_4(const std::map<std::string_view, std::string_view>& metrics);

}  // namespace vmpatch::advisory
