#pragma once
// What a comparison of one package's files came to, and what that says about the package.

#include <string>
#include <vector>

#include "engine/delivered.hpp"
#include "engine/subjects.hpp"

namespace vmpatch::engine {

/// What became of one subject's files.
struct Outcome {
  /// Files, or links: that it delivers; of these.
  struct Count {
    std::size_t all = 0, compared = 0, excluded = 0;
  };
  Count files, links;
  bool by_own_lists = false;           ///< which could be read
  std::vector<std::string> different;  ///< as are the others: paths, safe for a terminal
  std::vector<std::string> unnamed;    ///< that are there, and that its own list does not name
  std::vector<std::string> present;    ///< of a package that is not installed
  std::vector<std::string> in_its_place;  ///< diverted, with something else at the path itself
  std::vector<std::string> wider;         ///< "PATH is MODE OWNER, …": gives more away than the package says
  std::vector<std::string> overlaid;      ///< "PATH in PLACE": diverted to where a file of another path belongs
};

/// Findings, and what makes the proof a weaker one. `delivers_only_links`: by its payload; false where there is none.
void judge(const Subject& subject, Outcome& outcome, bool delivers_only_links, Delivered& result);

}  // namespace vmpatch::engine
