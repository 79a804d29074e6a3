#pragma once
// apk's database of installed packages, /lib/apk/db/installed: stanzas of "X:value" lines. Fields: apk-package(5); the rest
// of the format is apk-tools' src/database.c.

#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/guest/facts.hpp"

namespace vmpatch::guest {

struct ApkDatabase {
  std::vector<Package> packages;
  std::vector<std::string> broken;  ///< "name: files" and the like, of what apk marked as not wholly installed
};

/// In the bounds of PackageList. Malformed stanzas are failed with the line number.
Result<ApkDatabase> parse_apk_installed(std::string_view text);

}  // namespace vmpatch::guest
