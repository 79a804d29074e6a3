#pragma once
// The name of an answer: a digest over all that decides it, so that it counts for exactly these inputs and for no others.

#include <string>
#include <vector>

#include "repository/apt/request.hpp"
#include "vmpatch/core/digest.hpp"
#include "vmpatch/guest/manager_files.hpp"

namespace vmpatch::repository::apt {

/// The verified content of one suite; the request has only the paths where it lies.
struct ListedContent {
  Digest release{};                       ///< content_of_release()
  std::map<std::string, Digest> indexes;  ///< "main/binary-amd64/Packages" → its file
};

struct Inputs {
  const guest::ManagerFiles& installed;
  const ResolveRequest& request;
  std::vector<ListedContent> lists;  ///< one for each source of the request
  std::string resolver;              ///< the program and its libapt-pkg, as they name themselves (identity.hpp)
  std::string kernel;                ///< running_kernel()
};

/// Over lengths and values in turn, so that nothing moves from one field to the next. A machine-id that is withheld does not count.
[[nodiscard]] Digest digest_of(const Inputs& inputs);

/// Over a Release file's text without its lines Date and Valid-Until: libapt-pkg reads neither, and archives that did not change are signed anew
/// several times a day.
[[nodiscard]] Digest content_of_release(std::string_view text);

/// Of this host: libapt-pkg takes its packages for needed.
[[nodiscard]] std::string running_kernel();

}  // namespace vmpatch::repository::apt
