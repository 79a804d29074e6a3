#include "engine/delivered.hpp"

#include <algorithm>
#include <map>

#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {
namespace {

/// /var/lib/dpkg/diversions: triples of lines "from", "to", "package" (":" = local).
Result<std::map<std::string, std::pair<std::string, std::string>>> read_diversions(guest::Guest& guest) {
  std::map<std::string, std::pair<std::string, std::string>> diversions;
  const auto text = guest.read("/var/lib/dpkg/diversions", 4U << 20U);
  if (!text) {
    if (text.error().code == Errc::not_found) return diversions;
    return text.error();
  }
  const auto lines = split(*text, '\n');
  for (std::size_t i = 0; i + 2 < lines.size(); i += 3) {
    diversions[std::string(lines[i])] = {std::string(lines[i + 1]), std::string(lines[i + 2])};
  }
  return diversions;
}

struct Expected {
  std::vector<const recipe::DebFile*> files;  ///< more than one where packages overwrite each other: any may win
};

class Comparison {
 public:
  Comparison(const Job& job, const recipe::PayloadStore& payloads, guest::Guest& guest, const guest::Facts& facts)
      : job_(job), payloads_(payloads), guest_(guest), facts_(facts) {}

  Result<Delivered> run() {
    VMPATCH_TRY(filter_, PathFilter::read(guest_));
    VMPATCH_TRY(diversions_, read_diversions(guest_));
    VMPATCH_CHECK(collect());
    VMPATCH_CHECK(compare_files());
    VMPATCH_CHECK(compare_links());
    return std::move(result_);
  }

 private:
  bool installed(const recipe::DebPackage& deb) const {
    return std::any_of(facts_.packages.begin(), facts_.packages.end(), [&](const guest::Package& package) {
      return package.name == deb.name() && package.version == deb.version() && package.installed();
    });
  }

  Result<void> collect() {
    debs_.reserve(job_.packages.size());
    for (const auto& payload : job_.packages) {
      if (!installed(payload.deb)) continue;
      const auto* declared = job_.recipe.get().find_payload(payload.payload);
      VMPATCH_TRY(const auto fd, payloads_.open_verified(*declared));
      VMPATCH_TRY(auto deb, recipe::read_deb(fd.get(), payload.payload, true));
      debs_.push_back(std::move(deb));
    }
    for (const auto& deb : debs_) {
      for (const auto& file : deb.files) {
        const bool conffile = std::find(deb.conffiles.begin(), deb.conffiles.end(), file.path) != deb.conffiles.end();
        if (!conffile && !filter_.excluded(file.path)) expected_[place_of(file.path, deb.name())].files.push_back(&file);
      }
    }
    return {};
  }

  std::string place_of(const std::string& path, const std::string& package) const {
    const auto diversion = diversions_.find(path);
    if (diversion == diversions_.end() || diversion->second.second == package) return path;
    return diversion->second.first;
  }

  void note(bool same, const std::string& path) {
    ++result_.compared;
    if (!same) result_.different.push_back(escape_untrusted(path));
  }

  Result<void> compare_files() {
    std::vector<std::string> paths;
    for (const auto& [path, expected] : expected_) {
      if (expected.files.front()->kind == recipe::DebFile::Kind::regular) paths.push_back(path);
    }
    VMPATCH_TRY(const auto digests, guest_.digests(paths));
    for (std::size_t i = 0; i < paths.size(); ++i) {
      const auto& files = expected_[paths[i]].files;
      note(std::any_of(files.begin(), files.end(), [&](const auto* file) { return digests[i] == file->sha256; }), paths[i]);
    }
    return {};
  }

  Result<void> compare_links() {
    for (const auto& [path, expected] : expected_) {
      const auto& file = *expected.files.front();
      if (file.kind != recipe::DebFile::Kind::symlink) continue;
      const auto target = guest_.readlink(path);
      if (!target && target.error().code != Errc::not_found && target.error().code != Errc::failed) return target.error();
      note(target && *target == file.target, path);
    }
    return {};
  }

  const Job& job_;
  const recipe::PayloadStore& payloads_;
  guest::Guest& guest_;
  const guest::Facts& facts_;
  PathFilter filter_;
  std::map<std::string, std::pair<std::string, std::string>> diversions_;
  std::vector<recipe::DebPackage> debs_;
  std::map<std::string, Expected> expected_;
  Delivered result_;
};

}  // namespace

Result<PathFilter> PathFilter::read(guest::Guest& guest) {
  PathFilter filter;
  auto add_file = [&](const std::string& path) -> Result<void> {
    const auto text = guest.read(path, 1U << 20U);
    if (!text) {
      if (text.error().code == Errc::not_found) return {};
      return text.error();
    }
    for (const auto line : split(*text, '\n')) filter.add_line(line);
    return {};
  };
  const auto entries = guest.list("/etc/dpkg/dpkg.cfg.d");
  if (!entries && entries.error().code != Errc::not_found) return entries.error();
  if (entries) {
    for (const auto& entry : *entries) VMPATCH_CHECK(add_file("/etc/dpkg/dpkg.cfg.d/" + entry.name));
  }
  VMPATCH_CHECK(add_file("/etc/dpkg/dpkg.cfg"));
  return filter;
}

void PathFilter::add_line(std::string_view line) {
  line = trim(line);
  while (line.starts_with('-')) line.remove_prefix(1);
  for (const auto& [word, exclude] : {std::pair{std::string_view("path-exclude"), true}, {"path-include", false}}) {
    if (!line.starts_with(word)) continue;
    const auto start = line.find_first_not_of("= \t", word.size());
    if (start != std::string_view::npos) rules_.emplace_back(exclude, std::string(line.substr(start)));
  }
}

bool PathFilter::excluded(const std::string& path) const {
  bool excluded = false;
  for (const auto& [exclude, pattern] : rules_) {
    if (matches_pattern(pattern, path)) excluded = exclude;
  }
  return excluded;
}

Result<Delivered> compare_delivered(const Job& job, const recipe::PayloadStore& payloads, guest::Guest& guest,
                                    const guest::Facts& facts) {
  return Comparison(job, payloads, guest, facts).run();
}

}  // namespace vmpatch::engine
