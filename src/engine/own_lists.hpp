#pragma once
// The guest's own lists of what its packages deliver: the weaker proof of delivered.hpp.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "vmpatch/guest/dpkg_files.hpp"
#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

/// MD5 of files of the guest, through its contents, which are bounded all together: lists may name anything.
class Md5Reader {
 public:
  static constexpr std::uint64_t max_bytes = std::uint64_t{8} << 30U;

  explicit Md5Reader(guest::Guest& guest) : guest_(guest) {}
  /// Follows links; nothing where there is no regular file. Errc::failed beyond max_bytes.
  Result<std::optional<Md5Digest>> digest(const std::string& path);

 private:
  guest::Guest& guest_;
  std::uint64_t left_ = max_bytes;
};

/// A file whose place belongs to another package than the one that was asked for.
struct Foreign {
  std::string path;
  std::string package;  ///< must be this one's; empty = that of any installed package
};

/// For each: the installed package whose lists name the path, with the content that is there ("NAME VERSION"); nothing where there is none.
/// A link is only named. Lists that cannot be read count as if they were empty.
Result<std::vector<std::optional<std::string>>> find_owners(const std::vector<Foreign>& files, guest::Guest& guest,
                                                            const guest::Facts& facts, Md5Reader& reader);

}  // namespace vmpatch::engine
