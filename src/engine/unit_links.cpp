#include "engine/unit_links.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

#include "vmpatch/core/format.hpp"

namespace vmpatch::engine {
namespace {

using guest::FileKind;

bool is_dependency_folder(const std::string& name) {
  return name.ends_with(".wants") || name.ends_with(".requires") || name.ends_with(".upholds");
}

/// Of "name@instance.service" it is "name@.service"; of others "".
std::string template_of(const std::string& name) {
  const auto at = name.find('@');
  const auto dot = name.find_last_of('.');
  if (at == std::string::npos || dot == std::string::npos || dot <= at + 1) return {};
  return name.substr(0, at + 1) + name.substr(dot);
}

/// The unit that a link in a unit folder is another name of: one of such a folder. A link that leads elsewhere is a unit of its own name.
std::string alias_target(const std::string& link, const std::string& target) {
  const auto end = (std::filesystem::path(link).parent_path() / target).lexically_normal();
  auto folder = end.parent_path().string();
  const bool is_unit = std::find(unit_folders.begin(), unit_folders.end(), folder) != unit_folders.end();
  return is_unit ? end.filename().string() : std::string();
}

/// Reads each folder once.
class Links {
 public:
  Links(guest::Guest& guest, const std::string& name) : guest_(guest), name_(name), names_{name} {}

  Result<UnitLinks> read() {
    VMPATCH_CHECK(list_all());
    VMPATCH_CHECK(follow_name());
    VMPATCH_CHECK(find_file());
    VMPATCH_CHECK(find_aliases());
    for (const auto& [folder, entries] : entries_) {
      for (const auto& entry : entries) {
        if (is_dependency_folder(entry.name)) VMPATCH_CHECK(look_into(folder, entry.name));
      }
    }
    links_.names = std::move(names_);
    return std::move(links_);
  }

 private:
  Result<void> list_all() {
    for (const auto folder : unit_folders) {
      // With a merged /usr the last two are one.
      if (folder == unit_folders.back()) {
        VMPATCH_TRY(const auto lib, look_at(guest_, "/lib"));
        if (lib && lib->kind == FileKind::symlink) continue;
      }
      VMPATCH_TRY(auto entries, entries_of(guest_, std::string(folder)));
      entries_.emplace_back(std::string(folder), std::move(entries));
    }
    return {};
  }

  struct UnitFile {
    std::string path;
    guest::FileStat stat;
  };

  /// The first one counts, also where it is /dev/null.
  Result<std::optional<UnitFile>> first_file(const std::string& name) {
    for (const auto& [folder, entries] : entries_) {
      auto path = folder + "/" + name;
      VMPATCH_TRY(const auto stat, look_at(guest_, path));
      if (stat) return std::optional(UnitFile{std::move(path), *stat});
    }
    return std::optional<UnitFile>();
  }

  /// The name may be an alias itself: of the unit that its link leads to.
  Result<void> follow_name() {
    constexpr int most_links = 10;
    for (int i = 0; i < most_links; ++i) {
      VMPATCH_TRY(const auto file, first_file(name_));
      if (!file || file->stat.kind != FileKind::symlink) return {};
      VMPATCH_TRY(const bool null, is_null(guest_, file->path, file->stat));
      if (null) return {};
      VMPATCH_TRY(const auto target, guest_.readlink(file->path));
      const auto other = alias_target(file->path, target);
      if (other.empty() || other == name_ || other == template_of(name_) || !names_.insert(other).second) return {};
      name_ = other;
    }
    return {};
  }

  Result<void> find_file() {
    VMPATCH_TRY(auto file, first_file(name_));
    if (!file && !template_of(name_).empty()) {
      VMPATCH_TRY(file, first_file(template_of(name_)));
    }
    if (!file) return {};
    VMPATCH_TRY(links_.masked, is_null(guest_, file->path, file->stat));
    links_.there = true;
    links_.file = std::move(file->path);
    return {};
  }

  /// Other names that lead to the unit, also by each other.
  Result<void> find_aliases() {
    std::map<std::string, std::vector<std::pair<std::string, std::string>>> leads;  // target's name → link, folder
    for (const auto& [folder, entries] : entries_) {
      for (const auto& entry : entries) {
        if (entry.kind != FileKind::symlink) continue;
        const auto path = folder + "/" + entry.name;
        VMPATCH_TRY(const auto target, guest_.readlink(path));
        const auto unit = alias_target(path, target);
        if (unit.empty() || unit == entry.name) continue;
        VMPATCH_TRY(const auto first, first_file(entry.name));
        if (first && first->path == path) leads[unit].emplace_back(entry.name, folder);
      }
    }
    std::vector<std::string> pending(names_.begin(), names_.end());
    while (!pending.empty()) {
      const auto target = std::move(pending.back());
      pending.pop_back();
      for (const auto& [link, folder] : leads[target]) {
        if (of_administrator(folder)) links_.own.push_back(folder + "/" + link);
        if (names_.insert(link).second) pending.push_back(link);
      }
    }
    return {};
  }

  /// A link in a folder of higher precedence takes the place of one of the same name, and to /dev/null it takes it away.
  Result<void> look_into(const std::string& folder, const std::string& dependency) {
    for (const auto& name : names_) {
      if (++looked_ > most_looked) return fail(Errc::failed, "{} has too many folders of dependencies, or {} too many other names", folder, name_);
      const auto path = folder + "/" + dependency + "/" + name;
      VMPATCH_TRY(const auto stat, look_at(guest_, path));
      if (!stat || !decided_.insert(dependency + "/" + name).second) continue;
      VMPATCH_TRY(const bool taken_away, is_null(guest_, path, *stat));
      if (!taken_away) (of_administrator(folder) ? links_.own : links_.shipped).push_back(path);
    }
    return {};
  }

  guest::Guest& guest_;
  std::string name_;  ///< without aliases
  std::set<std::string> names_;
  std::vector<std::pair<std::string, std::vector<guest::DirEntry>>> entries_;
  std::set<std::string> decided_;
  static constexpr std::size_t most_looked = 20'000;  ///< a system has some hundred
  std::size_t looked_ = 0;
  UnitLinks links_;
};

}  // namespace

bool of_administrator(std::string_view folder) { return folder.starts_with("/etc/"); }

std::string base_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

Result<std::vector<guest::DirEntry>> entries_of(guest::Guest& guest, const std::string& folder) {
  const auto stat = guest.stat(folder);
  if (!stat && stat.error().code != Errc::not_found) return stat.error();
  if (!stat || stat->kind != guest::FileKind::directory) return std::vector<guest::DirEntry>();
  return guest.list(folder);
}

Result<std::optional<guest::FileStat>> look_at(guest::Guest& guest, const std::string& path) {
  auto stat = guest.lstat(path);
  if (stat) return std::optional(*stat);
  if (stat.error().code == Errc::not_found) return std::optional<guest::FileStat>();
  return stat.error();
}

Result<bool> is_null(guest::Guest& guest, const std::string& path, const guest::FileStat& stat) {
  const auto is_nothing = [](const guest::FileStat& end) {
    return end.kind == FileKind::character || end.kind == FileKind::block || (end.kind == FileKind::regular && end.size == 0);
  };
  if (stat.kind != FileKind::symlink) return is_nothing(stat);
  VMPATCH_TRY(const auto target, guest.readlink(path));
  // A guest's own /dev is empty while it is off.
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if ((folder / target).lexically_normal() == "/dev/null") return true;
  const auto end = guest.stat(path);
  if (!end && end.error().code != Errc::not_found) return end.error();
  return end && is_nothing(*end);
}

Result<UnitLinks> read_links(guest::Guest& guest, const std::string& name) { return Links(guest, name).read(); }

}  // namespace vmpatch::engine
