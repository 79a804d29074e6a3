#pragma once
// The files of a guest's package manager that decide what it would install: data for a resolver, never settings of this host.

#include <map>
#include <string>
#include <vector>

#include "vmpatch/core/json_fwd.hpp"
#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {

struct ManagerFiles {
  std::string manager;                     ///< "dpkg"
  std::vector<std::string> architectures;  ///< Debian's words, the guest's own first
  /// Content by name, relative: status, extended_states, preferences, preferences.d/NAME, apt.conf, apt.conf.d/NAME, machine-id. What does
  /// not exist in the guest is missing.
  std::map<std::string, std::string> files;
  bool operator==(const ManagerFiles&) const = default;
};

/// What is no regular file (a link to /dev/null) counts as missing, as it does to apt. Errors: unsupported (no dpkg), failed (a file that is
/// too large, or more than 1,000 files in a folder).
Result<ManagerFiles> read_manager_files(Guest& guest);

/// As with facts: text of a guest comes back exactly, and no other names than these.
Json to_json(const ManagerFiles& files);
Result<ManagerFiles> manager_files_from_json(const Json& json);

}  // namespace vmpatch::guest
