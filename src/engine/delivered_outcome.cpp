#include "engine/delivered_outcome.hpp"

#include <algorithm>

#include "vmpatch/core/format.hpp"

namespace vmpatch::engine {
namespace {

/// Paths of one finding are named up to this many.
constexpr std::size_t most_named = 10;

std::string name_some(std::vector<std::string> paths) {
  const bool more = paths.size() > most_named;
  if (more) paths.resize(most_named);
  return fmt::format("{}{}", fmt::join(paths, ", "), more ? ", …" : "");
}

std::string why_nothing(const Outcome& outcome, const Outcome::Count& none) {
  if (none.all == 0) return "its own md5sums list names no file";
  const bool links = &none == &outcome.links;
  return fmt::format("none of its {} {} could be compared: {} are left out by the guest's dpkg.cfg{}; reinstall it without path-exclude, or use "
                     "a recipe without it", none.all, links ? "links" : "files", none.excluded,
                     links ? "" : fmt::format(", {} are changed conffiles", none.all - none.excluded));
}

/// Of which nothing was compared though something must be; null = that is not so. Only a payload can say that there is nothing to compare.
const Outcome::Count* nothing_compared(const Subject& subject, const Outcome& outcome, bool delivers_only_links) {
  const auto none = [](const Outcome::Count& count) { return count.compared == 0 ? &count : nullptr; };
  if (subject.installed != nullptr && subject.exact()) {
    if (outcome.files.all > 0) return none(outcome.files);
    return outcome.links.all > 0 ? none(outcome.links) : nullptr;
  }
  if (!outcome.by_own_lists) return nullptr;
  return outcome.files.all > 0 || !delivers_only_links ? none(outcome.files) : nullptr;
}

}  // namespace

void judge(const Subject& subject, Outcome& outcome, bool delivers_only_links, Delivered& result) {
  const auto tell = [&](std::vector<std::string>& paths, std::string_view what, std::string_view remedy) {
    std::sort(paths.begin(), paths.end());
    paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
    if (paths.empty()) return;
    result.findings.push_back(fmt::format("package {}: {} {}: {}; {}", subject.text(), paths.size(), what, name_some(paths), remedy));
  };
  constexpr std::string_view reinstall = "reinstall the package in the guest";
  tell(outcome.different, subject.exact() ? "files are not what it delivers" : "files are not what its own md5sums list says",
       reinstall);
  tell(outcome.unnamed, "files are there that its own md5sums list does not name", reinstall);
  tell(outcome.present, "of its files are there, though it is not installed", "remove them, or install the package");
  tell(outcome.in_its_place, "diverted files have something else in their place that no package owns",
       "remove that, or the diversion with dpkg-divert");
  tell(outcome.wider, "files give more away than it says",
       "restore them with chown and chmod (reinstall the package in the place of a link), or tell dpkg with dpkg-statoverride --add");
  tell(outcome.overlaid, "files are diverted to where another one belongs",
       "remove the diversion with dpkg-divert --remove, and reinstall both packages in the guest");
  if (subject.exact() && outcome.files.all + outcome.links.all == 0) {
    result.weak.push_back(fmt::format("{} has no files: only the package database says that it is installed", subject.text()));
  }
  const auto* none = nothing_compared(subject, outcome, delivers_only_links);
  if (none != nullptr && outcome.different.empty()) {
    result.findings.push_back(fmt::format("package {} is not proved: {}", subject.text(), why_nothing(outcome, *none)));
  }
}

std::vector<std::string> Delivered::checks() const {
  std::vector<std::string> lines{fmt::format("delivered files: {} compared by sha256", compared)};
  if (!absent.empty()) lines.push_back(fmt::format("not installed: {}", name_some(absent)));
  if (excluded > 0) lines.push_back(fmt::format("delivered files: {} left out by the guest's dpkg.cfg", excluded));
  if (!permissions.empty()) {
    lines.push_back(fmt::format("{} delivered files have another mode or owner, which gives nothing away or is said by dpkg-statoverride or the package's script: {}",
                                permissions.size(), name_some(permissions)));
  }
  if (!weak.empty()) {
    lines.push_back(fmt::format("weaker proof, by the guest's own lists, which its root can forge: {} files; {}", compared_own,
                                name_some(weak)));
  }
  return lines;
}

}  // namespace vmpatch::engine
