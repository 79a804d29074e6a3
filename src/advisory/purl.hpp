#pragma once
// Package URLs (purl-spec): pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS#SUBPATH

#include <map>
#include <string>
#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch::advisory {

struct PackageUrl {
  std::string type;        ///< lower case
  std::string name_space;  ///< decoded; several segments joined by "/"
  std::string name;
  std::string version;     ///< "" = every version
  std::map<std::string, std::string> qualifiers;

  [[nodiscard]] std::string_view qualifier(const std::string& key) const {
    const auto found = qualifiers.find(key);
    return found == qualifiers.end() ? std::string_view() : std::string_view(found->second);
  }
};

/// Errc::failed for what is no package URL, or longer than 1024 bytes.
Result<PackageUrl> parse_purl(std::string_view text);

}  // namespace vmpatch::advisory
