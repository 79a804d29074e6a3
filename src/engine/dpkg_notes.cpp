#include "engine/dpkg_notes.hpp"

#include <set>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

constexpr std::size_t most_named = 5;

/// Files of a package are NAME.KIND, or NAME:ARCH.KIND of one that can be there in several architectures.
bool has(const std::set<std::string>& files, const guest::Package& package, std::string_view kind) {
  return files.contains(fmt::format("{}.{}", package.name, kind)) || files.contains(fmt::format("{}:{}.{}", package.name, package.arch, kind));
}

void note_without(const std::set<std::string>& files, const guest::Facts& facts, std::string_view kind, std::string_view what,
                  std::vector<std::string>& notes) {
  std::string names;
  std::size_t count = 0;
  for (const auto& package : facts.packages) {
    if (!package.installed() || has(files, package, kind)) continue;
    if (++count <= most_named) names += (names.empty() ? "" : ", ") + escape_untrusted(package.name);
  }
  if (count == 0) return;
  notes.push_back(fmt::format("{} of installed packages have no {} ({}{}): dpkg --audit says so already, which does not count against the patch",
                              count, what, names, count > most_named ? ", …" : ""));
}

}  // namespace

Result<std::vector<std::string>> dpkg_notes(guest::Guest& guest, const guest::Facts& facts) {
  std::vector<std::string> notes;
  if (facts.package_manager != "dpkg") return notes;
  const auto entries = guest.list("/var/lib/dpkg/info");
  if (!entries && entries.error().code != Errc::not_found) return entries.error();
  std::set<std::string> files;
  if (entries) {
    for (const auto& entry : *entries) files.insert(entry.name);
  }
  note_without(files, facts, "list", "list of their files", notes);
  note_without(files, facts, "md5sums", "digests of their files", notes);
  return notes;
}

}  // namespace vmpatch::engine
