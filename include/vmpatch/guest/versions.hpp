#pragma once
// The distribution's own version order.

#include <string>
#include <string_view>

#include "vmpatch/core/result.hpp"

namespace vmpatch::guest {

enum class VersionScheme { deb, rpm, apk, alpm };

/// From Facts::package_manager; Errc::unsupported for one whose order this program does not know.
Result<VersionScheme> version_scheme(std::string_view package_manager);

/// <0, 0, >0. deb: Debian policy 5.6.12 (epoch, tilde); rpm: rpmvercmp over epoch:version-release; apk: apk-package(5);
/// alpm: vercmp(8).
[[nodiscard]] int compare_versions(VersionScheme scheme, const std::string& a, const std::string& b);

}  // namespace vmpatch::guest
