#pragma once
// Mode and owner of a delivered file, compared with its package. What gives more away than the package says (set-uid, set-gid, writable for
// the group or for all, another owner) is a finding, anything else a note. Two things may make it so all the same: the guest's
// dpkg-statoverride, which is the administrator's word and is told; and the package's own signed preinst or postinst, where it names the path
// (openssh-client makes ssh-agent set-gid that way) – but never for a file that everybody may write.

#include <map>
#include <optional>
#include <string>

#include "vmpatch/guest/dpkg_files.hpp"
#include "vmpatch/recipe/deb.hpp"

namespace vmpatch::engine {

class Permissions {
 public:
  struct Answer {
    enum class Kind { same, note, wider } kind = Kind::same;
    std::string text{};  ///< "PATH is 4755 0:0, delivered as 0755 0:0", safe for a terminal
  };

  /// Errors: not_found, failed: malformed lists of the guest; others of reading it.
  static Result<Permissions> load(guest::Guest& guest);
  /// `found`: at `place`, where the package's `file` is. Errors of reading the guest.
  Result<Answer> compare(guest::Guest& guest, const recipe::DebPackage& package, const recipe::DebFile& file, bool conffile,
                         const std::string& place, const guest::FileStat& found);

 private:
  struct Owner {
    std::uint32_t user = 0;
    std::uint32_t group = 0;
  };
  Result<std::uint32_t> number_of(guest::Guest& guest, bool group, const std::string& name, std::uint32_t otherwise);

  std::map<std::string, guest::StatOverride> overrides_;
  std::map<std::string, std::optional<std::uint32_t>> users_;
  std::map<std::string, std::optional<std::uint32_t>> groups_;
};

/// `text` names `path` as a whole word.
bool names_path(std::string_view text, std::string_view path);

}  // namespace vmpatch::engine
