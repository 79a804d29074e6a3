#pragma once
// A machine's packages, grouped as feeds speak of them: by source package, and by what must be compared on its own.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "advisory/evaluate.hpp"
#include "advisory/store.hpp"

namespace vmpatch::advisory {

using Statements = std::span<const Statement>;

/// Installed packages of one source package that are compared alike.
struct Subject {
  Version source_version;
  Version own_version;
  Version origin;   ///< Debian: of a backport the version that it was made from; otherwise the source version
  Statements own;   ///< on the binary package's name
  std::string own_name;
  std::vector<std::string> binaries;
  std::size_t version_group = 0;  ///< the same for all of one source version
};

struct Unit {
  std::string name;
  Statements statements;
  std::vector<Subject> subjects;  ///< lowest version first
};

/// Of the packages whose files are on the disk, those that a feed says anything of, by name of the source package.
std::vector<Unit> make_units(const Store& store, const Evaluator& evaluator, const guest::Facts& facts);

/// "6.11.5-1~bpo12+1" was made from "6.11.5-1" (Debian's rule for versions of backports). Nothing for what is no backport.
std::string_view origin_of_backport(std::string_view version);

}  // namespace vmpatch::advisory
