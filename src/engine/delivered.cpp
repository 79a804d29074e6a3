#include "engine/delivered.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "engine/delivered_outcome.hpp"
#include "engine/own_lists.hpp"
#include "engine/permissions.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/guest/dpkg_files.hpp"

namespace vmpatch::engine {
namespace {

using recipe::DebFile;

/// What one package delivers at a place.
struct Candidate {
  std::size_t subject = 0;
  const DebFile* file = nullptr;
  Digest sha256;
  bool conffile = false;
};

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// A finding where it is the guest's doing, an error where reading failed.
bool is_finding(const Error& error) { return error.code == Errc::not_found || error.code == Errc::failed; }

class Comparison {
 public:
  Comparison(const Job& job, const recipe::PayloadStore& payloads, guest::Guest& guest, const guest::Facts& facts)
      : job_(job), payloads_(payloads), guest_(guest), facts_(facts), md5_(guest), subjects_(find_subjects(job, facts)),
        outcomes_(subjects_.size()) {}

  Result<Delivered> run() {
    for (const auto& subject : subjects_) {
      if (subject.installed != nullptr) {
        ++result_.installed;
      } else {
        result_.absent.push_back(escape_untrusted(subject.name));
      }
    }
    note_edited();
    if (facts_.package_manager != "dpkg") return without_dpkg();
    VMPATCH_TRY(filter_, guest::PathFilter::load(guest_));
    auto diversions = guest::load_diversions(guest_);
    if (!diversions && !is_finding(diversions.error())) return diversions.error();
    if (diversions) {
      diversions_ = std::move(*diversions);
    } else {
      result_.findings.push_back(diversions.error().message);
    }
    auto permissions = Permissions::load(guest_);
    if (!permissions && !is_finding(permissions.error())) return permissions.error();
    if (permissions) {
      permissions_ = std::move(*permissions);
    } else {
      result_.findings.push_back(permissions.error().message);
    }
    for (const auto& [path, diversion] : diversions_) at_target_[diversion.to];
    check_unique();
    debs_.resize(subjects_.size());
    for (std::size_t i = 0; i < subjects_.size(); ++i) VMPATCH_CHECK(read_payload(i));
    VMPATCH_CHECK(compare_files());
    VMPATCH_CHECK(compare_links());
    for (std::size_t i = 0; i < subjects_.size(); ++i) {
      if (subjects_[i].installed == nullptr) VMPATCH_CHECK(look_for_absent(i));
      if (subjects_[i].installed != nullptr && !subjects_[i].exact() && !subjects_[i].older()) VMPATCH_CHECK(compare_own(i));
    }
    VMPATCH_CHECK(ask_owners());
    conclude();
    return std::move(result_);
  }

 private:
  /// A file step's content that a later step edits is compared in what was edited only (unmet.cpp).
  void note_edited() {
    const auto& steps = job_.recipe.get().steps;
    for (auto step = steps.begin(); step != steps.end(); ++step) {
      const auto* file = std::get_if<recipe::step::File>(&*step);
      if (file == nullptr || file->absent || (!file->content && !file->payload)) continue;
      const bool edited = std::any_of(step, steps.end(), [&](const auto& later) {
        const auto* edit = std::get_if<recipe::step::Edit>(&later);
        return edit != nullptr && edit->path == file->path;
      });
      if (edited) result_.weak.push_back(fmt::format("{}, of which only what a later step edits is compared", escape_untrusted(file->path)));
    }
  }

  Result<Delivered> without_dpkg() {
    for (const auto& subject : subjects_) {
      if (subject.installed == nullptr) {
        result_.weak.push_back(fmt::format("{} is not in the guest's package database", subject.text()));
      } else {
        result_.findings.push_back(fmt::format("package {} is not proved: files of a package of '{}' cannot be compared", subject.text(),
                                               escape_untrusted(facts_.package_manager)));
      }
    }
    return std::move(result_);
  }

  /// Of two entries for one package dpkg takes the last, others the first.
  void check_unique() {
    std::set<std::pair<std::string, std::string>> seen;
    for (const auto& subject : subjects_) {
      if (subject.installed == nullptr || seen.emplace(subject.name, subject.installed->arch).second) continue;
      result_.findings.push_back(fmt::format("package {} is in the package database twice", escape_untrusted(subject.name)));
    }
  }

  /// Its files are wanted where they are compared, where they must be absent, and where the guest's own list must name them.
  Result<void> read_payload(std::size_t index) {
    const auto& subject = subjects_[index];
    if (subject.payload == nullptr || subject.older()) return {};
    const auto* declared = job_.recipe.get().find_payload(subject.payload->payload);
    VMPATCH_TRY(const auto fd, payloads_.open_verified(*declared));
    VMPATCH_TRY(debs_[index], recipe::read_deb(fd.get(), subject.payload->payload, true));
    return subject.exact() ? expect(index) : Result<void>();
  }

  Result<void> expect(std::size_t index) {
    const auto& deb = debs_[index];
    std::map<std::string, Digest> contents;
    for (const auto& file : deb.files) {
      if (file.kind == DebFile::Kind::regular) contents[file.path] = file.sha256;
    }
    for (const auto& file : deb.files) {
      Candidate candidate{index, &file, file.sha256, contains(deb.conffiles, file.path)};
      if (file.kind == DebFile::Kind::hardlink) {
        const auto content = contents.find(file.target);
        if (content == contents.end()) return fail(Errc::failed, "{}: {} is a hard link to nothing", deb.name(), file.path);
        candidate.sha256 = content->second;
      }
      ++count_of(index, file).all;
      VMPATCH_TRY(const auto place, place_of(file.path, index));
      auto& places = file.kind == DebFile::Kind::symlink ? links_ : files_;
      places[place].push_back(std::move(candidate));
    }
    return {};
  }

  Outcome::Count& count_of(std::size_t index, const DebFile& file) {
    return file.kind == DebFile::Kind::symlink ? outcomes_[index].links : outcomes_[index].files;
  }

  /// Where dpkg has put it. What lies at a diverted path itself is asked about, too.
  Result<std::string> place_of(const std::string& path, std::size_t index) {
    const auto diversion = diversions_.find(path);
    if (diversion == diversions_.end() || diversion->second.package == subjects_[index].name) {
      if (const auto target = at_target_.find(path); target != at_target_.end()) target->second.emplace(path, index);
      return path;
    }
    at_target_[diversion->second.to].emplace(path, index);
    VMPATCH_TRY(const auto there, kind_of(path));
    if (there && diversion->second.local()) {
      outcomes_[index].in_its_place.push_back(escape_untrusted(path));
    } else if (there) {
      foreign_.push_back({path, diversion->second.package});
      asked_.push_back({index, &Outcome::in_its_place});
    }
    return diversion->second.to;
  }

  /// Nothing where there is no such path; unknown where nobody can look, because links lead in a circle, say.
  Result<std::optional<guest::FileKind>> kind_of(const std::string& path) {
    const auto stat = guest_.lstat(path);
    if (stat) return std::optional(stat->kind);
    if (!is_finding(stat.error())) return stat.error();
    return stat.error().code == Errc::not_found ? std::nullopt : std::optional(guest::FileKind::unknown);
  }

  void count_same(const Candidate& candidate) {
    ++result_.compared;
    ++count_of(candidate.subject, *candidate.file).compared;
  }

  /// Several packages may deliver a path and replace each other there: any of them may have won.
  Result<void> note(const std::string& place, const std::vector<Candidate>& candidates, const auto& is_same) {
    const auto same = std::find_if(candidates.begin(), candidates.end(), is_same);
    if (same != candidates.end()) {
      count_same(*same);
      return compare_permissions(place, *same);
    }
    for (const auto& candidate : candidates) {
      if (candidate.conffile) VMPATCH_CHECK(compare_permissions(place, candidate));
      if (candidate.conffile) continue;
      VMPATCH_CHECK(note_different(candidate.file->path, place, candidate.subject,
                                   candidate.file->kind == DebFile::Kind::symlink ? guest::FileKind::symlink : guest::FileKind::regular));
      break;
    }
    return {};
  }

  /// A link in the place of a file leads to where another one may be put by whoever owns that place. dpkg follows links to conffiles.
  Result<void> compare_permissions(const std::string& place, const Candidate& candidate) {
    if (candidate.file->kind == DebFile::Kind::symlink) return {};
    const auto stat = candidate.conffile ? guest_.stat(place) : guest_.lstat(place);
    if (!stat && !is_finding(stat.error())) return stat.error();
    if (!stat) return {};
    auto& outcome = outcomes_[candidate.subject];
    if (stat->kind == guest::FileKind::symlink) {
      outcome.wider.push_back(fmt::format("{} is a link", escape_untrusted(place)));
      return {};
    }
    VMPATCH_TRY(auto answer, permissions_.compare(guest_, debs_[candidate.subject], *candidate.file, candidate.conffile, place, *stat));
    if (answer.kind == Permissions::Answer::Kind::wider) outcome.wider.push_back(std::move(answer.text));
    if (answer.kind == Permissions::Answer::Kind::note) result_.permissions.push_back(std::move(answer.text));
    return {};
  }

  Result<void> note_different(const std::string& path, const std::string& place, std::size_t index, guest::FileKind kind) {
    VMPATCH_TRY(const auto there, kind_of(place));
    if (!there && filter_.excludes(path, kind)) {
      ++(kind == guest::FileKind::symlink ? outcomes_[index].links : outcomes_[index].files).excluded;
      ++result_.excluded;
    } else {
      outcomes_[index].different.push_back(escape_untrusted(place));
    }
    return {};
  }

  Result<void> compare_files() {
    std::vector<std::string> paths;
    for (const auto& [place, candidates] : files_) paths.push_back(place);
    VMPATCH_TRY(const auto digests, guest_.digests(paths));
    for (std::size_t i = 0; i < paths.size(); ++i) {
      VMPATCH_CHECK(note(paths[i], files_[paths[i]], [&](const Candidate& c) { return digests[i] == c.sha256; }));
    }
    return {};
  }

  Result<void> compare_links() {
    for (const auto& [place, candidates] : links_) {
      const auto target = guest_.readlink(place);
      if (!target && !is_finding(target.error())) return target.error();
      VMPATCH_CHECK(note(place, candidates, [&](const Candidate& c) { return target && *target == c.file->target; }));
    }
    return {};
  }

  /// A package that is not installed has left nothing behind; a link, too, may lead to an old file.
  Result<void> look_for_absent(std::size_t index) {
    if (subjects_[index].payload == nullptr) {
      result_.weak.push_back(fmt::format("{} is not in the guest's package database", subjects_[index].text()));
      return {};
    }
    for (const auto& file : debs_[index].files) {
      VMPATCH_TRY(const auto kind, kind_of(file.path));
      if (kind && kind != guest::FileKind::directory) ask_whose(index, file, &Outcome::present);
    }
    return {};
  }

  /// Files that another version of the package delivers, and that this one would have taken away.
  Result<void> look_for_left(std::size_t index, const guest::PackageLists& lists) {
    for (const auto& file : debs_[index].files) {
      if (lists.sums.contains(file.path)) continue;
      VMPATCH_TRY(const auto kind, kind_of(file.path));
      if (kind == guest::FileKind::regular) ask_whose(index, file, &Outcome::unnamed);
    }
    return {};
  }

  void ask_whose(std::size_t index, const DebFile& file, std::vector<std::string> Outcome::* if_nobodys) {
    if (contains(debs_[index].conffiles, file.path)) return;
    foreign_.push_back({file.path, {}});
    asked_.push_back({index, if_nobodys});
  }

  Result<void> compare_own(std::size_t index) {
    const auto& subject = subjects_[index];
    const auto lists = guest::load_package_lists(guest_, *subject.installed);
    if (!lists && !is_finding(lists.error())) return lists.error();
    if (!lists) {
      result_.findings.push_back(fmt::format("package {} is not proved: {}", subject.text(), lists.error().message));
      return {};
    }
    for (const auto& [path, sum] : lists->sums) VMPATCH_CHECK(compare_sum(index, path, sum, is_conffile(path, *lists)));
    VMPATCH_CHECK(look_for_unnamed(index, *lists));
    VMPATCH_CHECK(look_for_left(index, *lists));
    outcomes_[index].by_own_lists = true;
    result_.weak.push_back(subject.text());
    return {};
  }

  /// Anybody can call a program a conffile in a list of his own.
  static bool is_conffile(const std::string& path, const guest::PackageLists& lists) {
    return path.starts_with("/etc/") && lists.conffiles.contains(path);
  }

  Result<void> compare_sum(std::size_t index, const std::string& path, const Md5Digest& sum, bool conffile) {
    ++outcomes_[index].files.all;
    VMPATCH_TRY(const auto place, place_of(path, index));
    if (files_.contains(place)) {  // a payload says more
      ++outcomes_[index].files.compared;
      return {};
    }
    const auto found = md5_.digest(place);
    if (!found && !is_finding(found.error())) return found.error();
    if (found && *found == sum) {
      ++outcomes_[index].files.compared;
      ++result_.compared_own;
      return {};
    }
    return conffile ? Result<void>() : note_different(path, place, index, guest::FileKind::regular);
  }

  /// dpkg writes the digest of every file that it unpacks.
  Result<void> look_for_unnamed(std::size_t index, const guest::PackageLists& lists) {
    for (const auto& path : lists.files) {
      if (lists.sums.contains(path) || is_conffile(path, lists)) continue;
      VMPATCH_TRY(const auto place, place_of(path, index));
      if (files_.contains(place)) continue;
      VMPATCH_TRY(const auto kind, kind_of(place));
      if (kind == guest::FileKind::regular) outcomes_[index].unnamed.push_back(escape_untrusted(place));
    }
    return {};
  }

  Result<void> ask_owners() {
    VMPATCH_TRY(const auto owners, find_owners(foreign_, guest_, facts_, md5_));
    for (std::size_t i = 0; i < foreign_.size(); ++i) {
      const auto path = escape_untrusted(foreign_[i].path);
      if (is_delivered_at(foreign_[i].path)) continue;  // compared with the payload of its package
      if (owners[i]) {
        result_.weak.push_back(fmt::format("{} of {}", path, *owners[i]));
      } else {
        (outcomes_[asked_[i].index].*asked_[i].as).push_back(path);
      }
    }
    return {};
  }

  /// Not only diverted to there from elsewhere.
  [[nodiscard]] bool is_delivered_at(const std::string& path) const {
    const auto by_path = [&](const std::map<std::string, std::vector<Candidate>>& places) {
      const auto found = places.find(path);
      return found != places.end() && std::any_of(found->second.begin(), found->second.end(),
                                                  [&](const Candidate& c) { return c.file->path == path; });
    };
    return by_path(files_) || by_path(links_);
  }

  /// Packages may replace each other's file of one path; files of two paths never share a place.
  void check_targets() {
    for (const auto& [place, origins] : at_target_) {
      const bool shared = std::any_of(origins.begin(), origins.end(), [&](const auto& o) { return o.first != origins.begin()->first; });
      if (!shared) continue;
      for (const auto& [path, index] : origins) {
        if (path != place) outcomes_[index].overlaid.push_back(fmt::format("{} in {}", escape_untrusted(path), escape_untrusted(place)));
      }
    }
  }

  void conclude() {
    check_targets();
    for (std::size_t i = 0; i < subjects_.size(); ++i) judge(subjects_[i], outcomes_[i], delivers_only_links(i), result_);
  }

  [[nodiscard]] bool delivers_only_links(std::size_t index) const {
    const auto& files = debs_[index].files;
    return subjects_[index].payload != nullptr &&
           std::all_of(files.begin(), files.end(), [](const DebFile& file) { return file.kind == DebFile::Kind::symlink; });
  }

  struct Asked {
    std::size_t index = 0;
    std::vector<std::string> Outcome::* as = nullptr;
  };

  const Job& job_;
  const recipe::PayloadStore& payloads_;
  guest::Guest& guest_;
  const guest::Facts& facts_;
  Md5Reader md5_;
  std::vector<Subject> subjects_;
  std::vector<Outcome> outcomes_;
  guest::PathFilter filter_;
  Permissions permissions_;
  std::map<std::string, guest::Diversion> diversions_;
  /// By a diversion's target: what was put there, by its own path, and the index of its subject.
  std::map<std::string, std::set<std::pair<std::string, std::size_t>>> at_target_;
  std::vector<recipe::DebPackage> debs_;
  std::map<std::string, std::vector<Candidate>> files_;
  std::map<std::string, std::vector<Candidate>> links_;
  std::vector<Foreign> foreign_;
  std::vector<Asked> asked_;  ///< of the same index
  Delivered result_;
};

}  // namespace

Result<Delivered> compare_delivered(const Job& job, const recipe::PayloadStore& payloads, guest::Guest& guest,
                                    const guest::Facts& facts) {
  return Comparison(job, payloads, guest, facts).run();
}

}  // namespace vmpatch::engine
