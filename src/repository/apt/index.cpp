#include "repository/apt/index.hpp"

#include <apt-pkg/fileutl.h>
#include <apt-pkg/tagfile.h>

#include <algorithm>

#include "repository/apt/errors.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::repository::apt {
namespace {

std::string field(const pkgTagSection& section, const char* name) { return section.FindS(name); }

/// "name (version)": without parentheses both are the binary package's.
struct Source {
  std::string name, version;
};
Source source_of(const pkgTagSection& section, const std::string& package, const std::string& version) {
  std::string text = field(section, "Source");
  if (text.empty()) return {package, version};
  const auto open = text.find(" (");
  if (open == std::string::npos || text.back() != ')') return {text, version};
  return {text.substr(0, open), text.substr(open + 2, text.size() - open - 3)};
}

Result<std::string> line_of(const pkgTagSection& section) {
  const std::string package = field(section, "Package");
  const std::string version = field(section, "Version");
  const Source source = source_of(section, package, version);
  std::string line;
  for (const std::string& value : {package, field(section, "Architecture"), version, field(section, "Filename"),
                                   field(section, "Size"), field(section, "SHA256"), source.name, source.version,
                                   field(section, "Installed-Size")}) {
    if (std::any_of(value.begin(), value.end(), [](unsigned char c) { return c < ' '; })) {
      return fail(Errc::failed, "package {}: a field has a line break or control character", escape_untrusted(package));
    }
    line += (line.empty() ? "" : "\t") + value;
  }
  if (package.empty() || version.empty()) return fail(Errc::failed, "a package without name or version");
  return line;
}

}  // namespace

Result<void> index_packages(const std::string& path, const std::function<Result<void>(std::string_view)>& each) {
  FileFd file;
  if (!file.Open(path, FileFd::ReadOnly, FileFd::Extension)) return complaint("cannot open " + path);
  pkgTagFile packages(&file);
  pkgTagSection section;
  while (packages.Step(section)) {
    VMPATCH_TRY(const std::string line, line_of(section));
    VMPATCH_CHECK(each(line));
  }
  return no_complaints("cannot read " + path);
}

}  // namespace vmpatch::repository::apt
