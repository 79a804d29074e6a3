#include "vmpatch/guest/place.hpp"

#include <algorithm>
#include <vector>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::guest {
namespace {

constexpr unsigned writable_by_others = 0022;  ///< with an ACL the group's bits are its mask: acl(5)
constexpr unsigned sticky = 01000;

void push_names(std::vector<std::string>& pending, std::string_view path) {
  const auto before = static_cast<std::ptrdiff_t>(pending.size());
  for (const std::string_view name : split(path, '/')) {
    if (!name.empty() && name != ".") pending.emplace_back(name);
  }
  std::reverse(pending.begin() + before, pending.end());
}

Error not_followed(const std::string& link, const FileStat& stat, const FileStat& folder) {
  return fail(Errc::refused,
              "{} is a symbolic link that others than root control (it belongs to user {}, its folder to user {} with mode {:04o}), and is not "
              "followed; name what it leads to, or remove it in the guest",
              escape_untrusted(link), stat.uid, folder.uid, folder.mode);
}

}  // namespace

std::string parent_folder(const std::string& path) {
  const auto slash = path.find_last_of('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

Result<std::optional<FileStat>> Places::look(const std::string& path) {
  if (const auto known = folders_.find(path); known != folders_.end()) return known->second;
  auto found = guest_.lstat(path.empty() ? "/" : path);
  if (!found && found.error().code != Errc::not_found) return found.error();
  std::optional<FileStat> stat;
  if (found) stat = *found;
  // Files are asked for once each; folders and links again and again.
  if (!stat || stat->kind != FileKind::regular) folders_.emplace(path, stat);
  return stat;
}

/// The way to one place.
class Places::Walk {
 public:
  Walk(Places& places, const std::string& path, LastLink last) : places_(places), asked_(path), last_(last) {}

  Result<Place> go() {
    VMPATCH_TRY(const auto root, places_.look(""));
    if (!root) return fail(Errc::failed, "the guest has no root folder");
    enter("", *root);
    push_names(pending_, asked_);
    Place place{"/", root};
    while (!pending_.empty()) {
      VMPATCH_TRY(place, step());
    }
    return place;
  }

 private:
  struct Folder {
    std::string path;  ///< "" = the root
    FileStat stat;
    bool foreign = false;  ///< others than root decide what lies here under which name
    bool open = false;     ///< others than root can make links here
  };

  void enter(const std::string& path, const FileStat& stat) {
    Folder folder{path, stat, (!way_.empty() && way_.back().foreign) || stat.uid != 0, false};
    const bool shared = (stat.mode & writable_by_others) != 0;
    folder.open = folder.foreign || shared;
    // In a sticky folder only the owner of a name renames it: below /tmp root's folders stay root's.
    folder.foreign = folder.foreign || (shared && (stat.mode & sticky) == 0);
    way_.push_back(std::move(folder));
  }

  [[nodiscard]] Place here() const { return {way_.back().path.empty() ? "/" : way_.back().path, way_.back().stat}; }

  Result<Place> step() {
    const std::string name = std::move(pending_.back());
    pending_.pop_back();
    if (name == "..") {
      if (way_.size() > 1) way_.pop_back();
      return here();
    }
    const std::string path = way_.back().path + "/" + name;
    VMPATCH_TRY(const auto stat, places_.look(path));
    if (stat && stat->kind == FileKind::symlink && (!pending_.empty() || last_ == LastLink::follow)) return follow(path, *stat);
    if (stat && stat->kind == FileKind::directory) {
      enter(path, *stat);
      return here();
    }
    return pending_.empty() ? Place{path, stat} : missing(path);
  }

  Result<Place> follow(const std::string& link, const FileStat& stat) {
    if (stat.uid != 0 || way_.back().open) return not_followed(link, stat, way_.back().stat);
    if (++links_ > max_links) return fail(Errc::failed, "{}: more than {} symbolic links", escape_untrusted(asked_), max_links);
    VMPATCH_TRY(const std::string target, places_.guest_.readlink(link));
    if (target.starts_with('/')) way_.resize(1);
    push_names(pending_, target);
    return here();
  }

  /// No folder is at `path`: what lies behind it is missing, under its plain names.
  Result<Place> missing(std::string path) {
    for (; !pending_.empty(); pending_.pop_back()) {
      if (pending_.back() == "..") return fail(Errc::failed, "{} leads through {}, which is no folder", escape_untrusted(asked_), escape_untrusted(path));
      path += "/" + pending_.back();
    }
    return Place{std::move(path), std::nullopt};
  }

  Places& places_;
  const std::string& asked_;
  LastLink last_;
  std::vector<Folder> way_;
  std::vector<std::string> pending_;  ///< names still to go, the next one last
  int links_ = 0;
};

Result<Place> Places::find(const std::string& path, LastLink last) {
  if (path.empty() || path.front() != '/') return fail(Errc::failed, "guest path {} is not absolute", escape_untrusted(path));
  return Walk(*this, path, last).go();
}

Result<Place> find_place(Guest& guest, const std::string& path, LastLink last) { return Places(guest).find(path, last); }

}  // namespace vmpatch::guest
