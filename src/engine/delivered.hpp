#pragma once
// Whether the packages that a recipe is about are what the guest's package database says. The guest's root can forge that
// database, so the files themselves are asked. Nothing compared is never a proof.
//
// Strong ("delivered"): the signed payload of exactly the installed version is at hand. Its files are compared by sha256, mode and owner
// (permissions.hpp), its links by their target. Nobody forges that. A package that is not installed is proved absent: none of the files that its payload delivers is there.
//
// Weaker ("own-lists"): there is no payload of the installed version, because it is newer or the recipe only checks it. The files are compared
// with the guest's own md5sums lists. That tells what was damaged, left over from another version or put back by
// somebody who did not think of the lists. It does not tell a root who writes lists that fit his files, whose version number is then what he
// likes, and it says nothing about where links lead. The same holds for a file of another package in the place of a diverted one, and
// for a package that is not there where no payload says which files it would have, and for a file of the recipe that a later step edits: of its
// content only what was edited is compared.
//
// Neither ("not-installed"): the recipe is about packages, and the guest has none of them. Nothing was compared but that their files are not
// there under their names.
//
// What need not be equal, as dpkg leaves it: a conffile (equal, it counts as compared), and a path that dpkg.cfg excludes while
// it is absent. A diverted path is compared where it is diverted to, which must not be where another
// file belongs; at the path itself there may be nothing, or a file of the package that diverts.

#include <string>
#include <vector>

#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

struct Delivered {
  std::size_t compared = 0;       ///< files and links that are what a payload delivers
  std::size_t compared_own = 0;   ///< files that are what the guest's own lists say
  std::size_t excluded = 0;       ///< paths that are absent, as dpkg.cfg says
  std::size_t installed = 0;          ///< packages that the recipe is about, and that the guest has
  std::vector<std::string> absent;    ///< those that it has not: names, safe for a terminal
  std::vector<std::string> permissions;  ///< modes and owners that differ without being findings, safe for a terminal
  std::vector<std::string> weak;      ///< what rests on the guest's own lists, safe for a terminal
  std::vector<std::string> findings;  ///< why the packages are not proved, one line a package and kind; empty = they are
  [[nodiscard]] ProofKind proof() const {
    if (installed == 0 && !absent.empty()) return ProofKind::not_installed;
    return weak.empty() ? ProofKind::delivered : ProofKind::own_lists;
  }
  /// What was looked at, one line each.
  [[nodiscard]] std::vector<std::string> checks() const;
};

/// Errors are those of the store and of reading the guest; what the guest's files make of it are findings.
Result<Delivered> compare_delivered(const Job& job, const recipe::PayloadStore& payloads, guest::Guest& guest,
                                    const guest::Facts& facts);

}  // namespace vmpatch::engine
