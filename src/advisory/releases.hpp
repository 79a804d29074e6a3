#pragma once
// How distributions write their releases, in one form that can be compared.

#include <optional>
#include <string>
#include <string_view>

#include "vmpatch/advisory/code_names.hpp"

namespace vmpatch::advisory {

/// Of at most 200 bytes.
std::string lower_case(std::string_view text);

/// "jammy" and "22.04.3", a point release, are "22.04".
std::string ubuntu_release(std::string_view text);

/// Ubuntu's archives in a package URL: "jammy", "esm-infra/xenial", "trusty/esm" are those of a release. Nothing for products that an
/// ordinary machine does not have: FIPS, real-time kernels, ROS. What is not known stays as it is.
std::optional<std::string> ubuntu_archive(std::string_view distro);

/// "v3.18" and "3.18.4" are "3.18"; what an edge machine calls itself is "edge".
std::string alpine_release(std::string_view text);

/// "15.5", "15-SP5" and "linux enterprise server 15 sp5" are one release.
std::string suse_release(std::string_view text);

/// Modules of SLE 12 belong to every service pack: "12.x".
std::string suse_module_release(std::string_view text);

}  // namespace vmpatch::advisory
