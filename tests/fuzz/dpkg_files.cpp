// dpkg's lists of files and digests, diversions and excluded paths: no crash, errors with their line, and only normal paths come back.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vmpatch/guest/dpkg_files.hpp"

namespace {

using namespace vmpatch::guest;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_path(const std::string& path) {
  require(path.size() > 1 && path.front() == '/' && path.back() != '/' && path.find("//") == std::string::npos);
  require((path + "/").find("/../") == std::string::npos && (path + "/").find("/./") == std::string::npos);
  require(path.find('\n') == std::string::npos && path.find('\0') == std::string::npos);
}

void check_error(const vmpatch::Error& error) {
  require(error.code == vmpatch::Errc::failed && error.message.starts_with("line "));
  require(std::none_of(error.message.begin(), error.message.end(), [](char c) { return c >= 0 && c < ' '; }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto sums = parse_md5sums(text)) {
    for (const auto& [path, digest] : *sums) check_path(path);
  } else {
    check_error(sums.error());
  }
  if (const auto overrides = parse_statoverrides(text)) {
    for (const auto& [path, wanted] : *overrides) {
      check_path(path);
      require(wanted.mode <= 07777U);
    }
  } else {
    check_error(overrides.error());
  }
  const auto files = parse_file_list(text);
  if (files) {
    std::for_each(files->begin(), files->end(), check_path);
  } else {
    check_error(files.error());
  }
  if (const auto diversions = parse_diversions(text)) {
    for (const auto& [from, diversion] : *diversions) {
      check_path(from);
      check_path(diversion.to);
      require(!diversions->contains(diversion.to));
    }
  } else {
    check_error(diversions.error());
  }
  PathFilter filter;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    filter.add_line(text.substr(at, end - at));
    at = end + 1;
  }
  const bool whole = filter.excludes("/usr/share/doc/x/README", FileKind::regular);
  require(whole || !filter.excludes("/usr/share/doc/x/README", FileKind::symlink));
  return 0;
}
