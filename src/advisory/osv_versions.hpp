#pragma once
// Which versions an OSV record calls affected: affected[].ranges and affected[].versions.

#include <string>
#include <string_view>

#include "advisory/statement.hpp"
#include "vmpatch/core/json_fwd.hpp"

namespace vmpatch::advisory {

/// What became of them; the rest is in the statement.
struct OsvVersions {
  bool understood = false;  ///< something that can be compared
  bool modular = false;     ///< rpm: versions that were built in a module
  std::string puzzle{};     ///< what is not understood first; "" = nothing
};

/// `statement`: its distribution is known; claim, events, versions and `partial` are set here. `package`: its name. GIT and SEMVER
/// ranges have no meaning for a distribution's versions and are passed over.
OsvVersions read_osv_versions(const Json& affected, std::string_view package, TextPool& texts, Statement& statement);

/// The module streams that an erratum's title names: "Important: virt:rhel and virt-devel:rhel security update" names two. At most 8.
std::vector<std::string> streams_in_title(std::string_view title);

}  // namespace vmpatch::advisory
