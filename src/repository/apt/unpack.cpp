#include "repository/apt/unpack.hpp"

#include <apt-pkg/fileutl.h>

#include <string_view>
#include <vector>

#include "repository/apt/errors.hpp"
#include "vmpatch/core/file.hpp"

namespace vmpatch::repository::apt {

Result<void> unpack_list(const std::string& path, int to) {
  FileFd file;
  if (!file.Open(path, FileFd::ReadOnly, FileFd::Extension)) return complaint("cannot open " + path);
  std::vector<char> piece(1U << 20U);
  for (;;) {
    unsigned long long got = 0;
    if (!file.Read(piece.data(), piece.size(), &got)) return complaint("cannot read " + path);
    if (got == 0) return no_complaints("cannot read " + path);
    VMPATCH_CHECK(write_all(to, std::string_view(piece.data(), got)));
  }
}

}  // namespace vmpatch::repository::apt
