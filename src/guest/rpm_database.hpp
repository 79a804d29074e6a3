#pragma once
// rpm's database, read by the program vm-patch-rpmdb (src/guest/rpm) in a process without privileges: the parent hands it a
// copy and believes nothing of what it says.

#include <optional>
#include <string>
#include <vector>

#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {

enum class RpmFormat { sqlite, ndb, bdb };
std::string_view to_string(RpmFormat format);

struct RpmDatabase {
  std::string path;  ///< in the guest
  RpmFormat format = RpmFormat::sqlite;
};

/// In /usr/lib/sysimage/rpm, else in /var/lib/rpm. nullopt where there is none.
Result<std::optional<RpmDatabase>> find_rpm_database(Guest& guest);

/// All packages but the keys that rpm keeps as packages (gpg-pubkey), sorted by name, version and architecture. At most
/// 512 MiB, and the bounds of PackageList. A database that cannot be read is failed with its path and rpm's reason.
Result<std::vector<Package>> read_rpm_database(Guest& guest, const RpmDatabase& database);

/// What vm-patch-rpmdb wrote: a JSON object a line, {"name", "version", "arch", "source", "source_version"},
/// and "module" for a package of one.
Result<std::vector<Package>> parse_rpm_answer(std::string_view lines);

}  // namespace vmpatch::guest
