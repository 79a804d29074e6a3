#pragma once
// Where a path of a guest really leads, for somebody who writes there as root.
//
// Accounts of a guest put what they like into their own folders: a link there would make root write wherever they want. So a symbolic
// link is followed only where nobody but root can have made it: it belongs to root, and so does its folder with all above it, and no
// group and no others may write in that folder. A real folder of another account is no obstacle: rename(2) needs write permission on a folder
// that gets another parent, so nobody puts a folder of root's there.

#include <map>
#include <optional>
#include <string>

#include "vmpatch/guest/guest.hpp"

namespace vmpatch::guest {

/// What becomes of a link that is the path's last name.
enum class LastLink { keep, follow };

struct Place {
  std::string path;              ///< absolute and without links, but that the last name may be one (LastLink::keep)
  std::optional<FileStat> stat;  ///< lstat of it; nothing where it is not there
};

/// Finds places in a guest that does not change meanwhile: each folder is looked at once.
class Places {
 public:
  static constexpr int max_links = 40;

  explicit Places(Guest& guest) : guest_(guest) {}
  /// Errors: refused (a link that others than root control; the message names it and the way out), failed (not absolute, a loop), and
  /// those of lstat() and readlink().
  Result<Place> find(const std::string& path, LastLink last = LastLink::keep);

 private:
  class Walk;
  Result<std::optional<FileStat>> look(const std::string& path);

  Guest& guest_;
  std::map<std::string, std::optional<FileStat>> folders_;
};

/// One place.
Result<Place> find_place(Guest& guest, const std::string& path, LastLink last = LastLink::keep);

/// The folder that a path's last name lies in; of "/a" it is "/".
std::string parent_folder(const std::string& path);

}  // namespace vmpatch::guest
