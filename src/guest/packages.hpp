#pragma once
// Which packages a guest has: finds the database and reads it.

#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {

/// The package manager that such a system is made of: "dpkg", "rpm", "apk", "pacman"; "" = a system that is not known.
std::string_view native_manager(const OsRelease& os);

/// Fills package_manager, packages and half_configured. facts.os decides between several databases: one may hold nothing but the
/// packages of a foreign tool. Errors: failed with the path of the database.
Result<void> read_packages(Guest& guest, Facts& facts);

}  // namespace vmpatch::guest
