#pragma once
// What dpkg keeps about the files of packages, beside its status: /var/lib/dpkg/info/PACKAGE.{list,md5sums,conffiles}, diversions,
// and the paths that it was told to leave out. Formats: dpkg's lib/dpkg/db-fsys-{files,digest,divert}.c and options.c, dpkg.cfg(5).
// All of it is the guest's word: its root can write whatever it likes there.

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/guest/facts.hpp"
#include "vmpatch/guest/guest.hpp"

namespace vmpatch::guest {

/// A list with more entries is failed, and so is one of more than 16 MiB.
inline constexpr std::size_t max_listed_files = 500'000;

/// PACKAGE.md5sums: absolute path → digest. Failed, "line N: …", for a line that is not "32 hex digits, two blanks, path", a path
/// that is not normal, and one that comes twice.
Result<std::map<std::string, Md5Digest>> parse_md5sums(std::string_view text);
/// PACKAGE.list: absolute paths of files, links and folders, without the root. Failed, "line N: …", for anything else.
Result<std::set<std::string>> parse_file_list(std::string_view text);

struct Diversion {
  std::string to;       ///< where the files of all other packages go instead
  std::string package;  ///< the one whose file stays; empty = none, the administrator's own
  [[nodiscard]] bool local() const { return package.empty(); }
};
/// By the original path. Failed, "line N: …", for what is no triple of lines with two normal paths, and for a path that is diverted twice.
Result<std::map<std::string, Diversion>> parse_diversions(std::string_view text);

/// The lists of one installed package.
struct PackageLists {
  std::set<std::string> files;            ///< .list
  std::map<std::string, Md5Digest> sums;  ///< .md5sums, which leaves out links and folders, and often conffiles
  std::set<std::string> conffiles;        ///< .conffiles
};
/// Errors: not_found (names the list that is missing; dpkg writes an md5sums list for every package, an empty one too); failed (a
/// malformed line, with the file; two lists for one package). Others are those of reading the guest.
Result<PackageLists> load_package_lists(Guest& guest, const Package& package);
/// .list alone: nothing where there is none or where it is malformed.
Result<std::set<std::string>> load_file_list(Guest& guest, const Package& package);
/// Empty where the guest has none. Errors: those of parse_diversions with the file, and of reading the guest.
Result<std::map<std::string, Diversion>> load_diversions(Guest& guest);

/// Who an administrator wants to own a path, with which mode, in the place of what the package says: dpkg-statoverride(1).
struct StatOverride {
  std::string user;   ///< a name, or "#" and a number
  std::string group;
  unsigned mode = 0;  ///< 07777
};
/// By path. Failed, "line N: …", for what is not "user group octal-mode path", and for a path that comes twice.
Result<std::map<std::string, StatOverride>> parse_statoverrides(std::string_view text);
/// Empty where the guest has none. Errors: those of parse_statoverrides with the file, and of reading the guest.
Result<std::map<std::string, StatOverride>> load_statoverrides(Guest& guest);

/// path-exclude and path-include of dpkg.cfg(5).
class PathFilter {
 public:
  /// A forged configuration must cost no time: more rules are left out, and beyond some billion steps nothing is excluded any more.
  /// What an honest one would exclude then counts as missing.
  static constexpr std::size_t max_rules = 256;
  static constexpr std::uint64_t max_steps = 2'000'000'000;

  /// The files that dpkg reads, in its order: /etc/dpkg/dpkg.cfg.d (names of letters, digits, '_' and '-'), dpkg.cfg, root's own .dpkg.cfg.
  static Result<PathFilter> load(Guest& guest);
  /// One line of such a file. What dpkg would not take for these options changes nothing.
  void add_line(std::string_view line);
  /// Whether dpkg leaves that path of a package out: the last rule that matches counts. A link stays, as folders do, where an
  /// include rule begins below it.
  [[nodiscard]] bool excludes(const std::string& path, FileKind kind);

 private:
  struct Rule {
    bool exclude = false;
    std::string pattern;
    std::uint64_t brackets = 0;
  };
  [[nodiscard]] bool matches(const Rule& rule, const std::string& path);
  std::vector<Rule> rules_;
  std::uint64_t steps_ = 0;
};

}  // namespace vmpatch::guest
