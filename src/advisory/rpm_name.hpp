#pragma once
// A package of rpm as people write it: NAME-[EPOCH:]VERSION-RELEASE.ARCHITECTURE (rpm(8)), or the name alone.

#include <optional>
#include <string>
#include <string_view>

namespace vmpatch::advisory {

struct RpmName {
  std::string name;
  std::string version;  ///< epoch:version-release; "" = none was given
  std::string arch;     ///< "" = none was given
};

/// Nothing for what is no such name, or may be read in two ways: kernel-5.14.0.
std::optional<RpmName> parse_rpm_name(std::string_view text);

}  // namespace vmpatch::advisory
