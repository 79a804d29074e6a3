#pragma once
// What `apt-get indextargets` prints (apt: doc/acquire-additional-files.md).

#include <string>
#include <string_view>
#include <vector>

namespace vmpatch::cli {

/// A Packages file that the host's apt uses.
struct AptTarget {
  std::string base_uri{}, meta_key{};           ///< together the name of one target
  std::string repo_uri{};                       ///< may hold a password: only hide_secrets() of it is shown
  std::string release{};                        ///< as the sources say: bookworm, stable, ./
  std::string component{}, architecture{};      ///< empty: a flat repository
  std::string codename{}, label{}, origin{};    ///< of its Release; empty as long as apt has fetched none
  std::string entry_file{};                     ///< of the sources
  unsigned entry = 0;                           ///< its line in a .list, its paragraph in a .sources, from 1
};

/// The targets that are Packages files; what is not understood is passed over.
std::vector<AptTarget> parse_index_targets(std::string_view text);

/// apt lists every source only without what their Release files say: `informed` is the other answer.
void add_release_words(std::vector<AptTarget>& targets, const std::vector<AptTarget>& informed);

/// The text without what stands before an '@' or after a '?' in its addresses.
std::string hide_secrets(std::string_view text);

}  // namespace vmpatch::cli
