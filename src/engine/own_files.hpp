#pragma once
// What belongs to one machine and not to its packages: machine-id, host keys, name, resolver. Maintainer scripts make or change them as if
// they ran on the machine that is installed; on a template every clone would have the same.

#include <set>

#include "vmpatch/guest/facts.hpp"
#include "vmpatch/recipe/recipe.hpp"

namespace vmpatch::engine {

class OwnFiles {
 public:
  /// The files of guest::Identity, as they are now. What is neither a link nor a small file cannot be put back: the proof refuses it then.
  static Result<OwnFiles> keep(guest::Guest& guest);

  /// Puts back what changed since, but for paths that a step of the recipe names. Value: these paths.
  Result<std::vector<std::string>> put_back(guest::WritableGuest& guest, const recipe::Recipe& recipe) const;

 private:
  struct Kept {
    guest::FileStat info;
    std::string content;  ///< of a file; of a link where it leads
  };
  Result<void> put_back_one(guest::WritableGuest& guest, const std::string& path) const;

  guest::Identity identity_;
  std::map<std::string, Kept> files_;    ///< those that can be put back
  std::set<std::string> ssh_;            ///< names in /etc/ssh
};

}  // namespace vmpatch::engine
