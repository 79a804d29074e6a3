#include "repository/apt/database.hpp"

#include <strings.h>

#include <string_view>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::repository::apt {
namespace {

constexpr std::uint64_t max_status = 256U << 20U;

/// "Status: install ok installed": the last word says whether a version is there.
bool says_present(std::string_view line) {
  constexpr std::string_view field = "Status:";
  if (line.size() < field.size() || ::strncasecmp(line.data(), field.data(), field.size()) != 0) return false;
  const std::string_view value = trim(line);
  return !value.ends_with("not-installed") && !value.ends_with("config-files");
}

std::size_t count_written(std::string_view text) {
  std::size_t count = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (says_present(text.substr(0, end))) ++count;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return count;
}

}  // namespace

Result<void> check_database(pkgDepCache& cache, const std::string& folder) {
  VMPATCH_TRY(const std::string text, read_file(folder + "/status", max_status));
  std::size_t seen = 0;
  for (auto package = cache.PkgBegin(); !package.end(); ++package) {
    if (!package.CurrentVer().end()) ++seen;
  }
  const std::size_t written = count_written(text);
  if (seen != written) {
    return fail(Errc::failed, "the package database has {} installed packages, of which libapt-pkg reads {}: mend the guest, dpkg --audit says what is wrong", written,
                seen);
  }
  // To an empty one everything essential would be new.
  if (seen == 0) return fail(Errc::failed, "the package database says that no package is installed");
  return {};
}

}  // namespace vmpatch::repository::apt
