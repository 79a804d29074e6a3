#pragma once
// One pass over a .deb.

#include "vmpatch/recipe/deb.hpp"

namespace vmpatch::recipe {

struct DebScan {
  bool files = false;      ///< list and hash what it delivers
  bool changelog = false;  ///< keep the text of its changelog
};

struct DebContent {
  DebPackage package;
  std::string changelog;  ///< beginning of usr/share/doc/PACKAGE/changelog.Debian.gz (or changelog.gz); empty if none
};

Result<DebContent> scan_deb(int fd, std::string_view name, DebScan scan);

}  // namespace vmpatch::recipe
