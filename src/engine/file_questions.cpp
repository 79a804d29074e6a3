#include "engine/file_questions.hpp"

#include <algorithm>
#include <set>

#include "engine/guest_names.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::engine {

using guest::FileKind;
using guest::LastLink;

std::string_view word(FileKind kind) {
  switch (kind) {
    case FileKind::regular: return "a file";
    case FileKind::directory: return "a folder";
    case FileKind::symlink: return "a symbolic link";
    case FileKind::character:
    case FileKind::block: return "a device";
    case FileKind::fifo: return "a FIFO";
    case FileKind::socket: return "a socket";
    case FileKind::unknown: break;
  }
  return "nothing that is known";
}

namespace {

/// "3 files and 1 folder"; links are files here, and their targets are not looked at.
Result<std::string> count_files(guest::Guest& guest, const std::string& folder) {
  constexpr std::size_t most = 100'000;
  std::vector<std::string> pending{folder};
  std::size_t files = 0;
  std::size_t folders = 0;
  while (!pending.empty()) {
    const auto dir = std::move(pending.back());
    pending.pop_back();
    VMPATCH_TRY(const auto entries, guest.list(dir));
    for (const auto& entry : entries) {
      if (entry.kind != FileKind::directory) ++files;
      else pending.push_back(dir + "/" + entry.name);
    }
    folders += 1;
    if (files + folders > most) return fmt::format("more than {} files and folders", most);
  }
  return fmt::format("{} file{} in {} folder{}", files, files == 1 ? "" : "s", folders, folders == 1 ? "" : "s");
}

}  // namespace

Result<std::optional<guest::Place>> FileQuestions::find(const std::string& path, LastLink last) {
  auto place = places_.find(path, last);
  if (place) return std::optional(std::move(*place));
  if (place.error().code != Errc::refused) return place.error();
  findings_.refuse(place.error().message);
  return std::optional<guest::Place>();
}

Result<void> FileQuestions::ask(const recipe::check::File& check) {
  VMPATCH_TRY(const auto place, find(check.path, check.absent ? LastLink::keep : LastLink::follow));
  if (!place) return {};
  if (!check.absent && place->stat) return ask_there(check, *place);
  const bool absent = !place->stat;
  findings_.note(absent == check.absent, fmt::format("{} is {}", check.path, absent ? "absent" : "there"));
  return {};
}

Result<void> FileQuestions::ask_written(const recipe::check::File& check) {
  VMPATCH_TRY(const auto place, find(check.path, LastLink::keep));
  if (!place) return {};
  if (!place->stat) {
    findings_.note(false, fmt::format("{} is absent", check.path));
    return {};
  }
  if (place->stat->kind == FileKind::regular) return ask_there(check, *place);
  auto text = fmt::format("{} is {}, wanted a file", check.path, word(place->stat->kind));
  if (place->stat->kind == FileKind::directory) findings_.refuse(text + "; a step replaces no folder: remove it first");
  else findings_.note(false, std::move(text));
  return {};
}

std::optional<std::string> not_to_remove(const recipe::step::File& step, FileKind kind) {
  const bool is_folder = kind == FileKind::directory;
  if (is_folder == step.folder) return std::nullopt;
  if (is_folder) {
    return fmt::format("{} is a folder, and the recipe would remove a file; to remove it with everything in it, the step needs 'folder: true'", step.path);
  }
  return fmt::format("{} is {}, and the recipe would remove a folder; the step needs no 'folder: true'", step.path, word(kind));
}

Result<void> FileQuestions::tell_removal(const recipe::step::File& step, const guest::Place& place) {
  if (!step.folder || !place.stat || place.stat->kind != FileKind::directory) return {};
  VMPATCH_TRY(const auto content, count_files(guest_, place.path));
  findings_.removals.push_back(fmt::format("folder {} with {}", step.path, content));
  return {};
}

Result<void> FileQuestions::ask_replaced(const recipe::step::File& step, bool at_its_place) {
  VMPATCH_TRY(const auto place, find(step.path, LastLink::keep));
  if (!place || !place->stat) return {};
  if (at_its_place && place->stat->kind == FileKind::directory) {
    if (auto why = not_to_remove(step, place->stat->kind)) findings_.refuse(std::move(*why));
  }
  return tell_removal(step, *place);
}

Result<void> FileQuestions::ask_removed(const recipe::step::File& step) {
  VMPATCH_TRY(const auto place, find(step.path, LastLink::keep));
  if (!place) return {};
  if (!place->stat) {
    findings_.note(true, fmt::format("{} is absent", step.path));
    return {};
  }
  if (auto why = not_to_remove(step, place->stat->kind)) {
    findings_.refuse(std::move(*why));
    return {};
  }
  findings_.note(false, fmt::format("{} is there", step.path));
  return tell_removal(step, *place);
}

Result<void> FileQuestions::ask_there(const recipe::check::File& check, const guest::Place& place) {
  VMPATCH_CHECK(ask_content(check, place.path));
  return ask_attributes(check, *place.stat);
}

Result<void> FileQuestions::ask_content(const recipe::check::File& check, const std::string& real) {
  auto wanted = check.sha256;
  if (check.content) wanted = sha256(*check.content);
  if (!wanted) return {};
  VMPATCH_TRY(const auto digests, guest_.digests({real}));
  const bool same = digests.at(0) == wanted;
  findings_.note(same, fmt::format("{} has {} content", check.path, same ? "the wanted" : "other"));
  return {};
}

Result<void> FileQuestions::ask_attributes(const recipe::check::File& check, const guest::FileStat& stat) {
  if (check.mode) {
    findings_.note(stat.mode == *check.mode, fmt::format("{} has mode {:04o}, wanted {:04o}", check.path, stat.mode, *check.mode));
  }
  if (check.owner) {
    VMPATCH_TRY(const auto uid, find_user(guest_, *check.owner));
    findings_.note(stat.uid == uid, fmt::format("{} belongs to user {}, wanted {}", check.path, stat.uid, *check.owner));
  }
  if (check.group) {
    VMPATCH_TRY(const auto gid, find_group(guest_, *check.group));
    findings_.note(stat.gid == gid, fmt::format("{} belongs to group {}, wanted {}", check.path, stat.gid, *check.group));
  }
  if (!check.mode && !check.owner && !check.group && !check.sha256 && !check.content) {
    findings_.note(true, fmt::format("{} is there", check.path));
  }
  return {};
}

Result<void> FileQuestions::ask_unpacked(const recipe::step::Unarchive& step, const std::vector<ArchiveEntry>& entries) {
  VMPATCH_TRY(const auto into, find(step.into, LastLink::follow));
  if (!into) return {};
  std::vector<std::string> files;
  std::vector<std::size_t> file_of;
  std::set<std::string> different;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto shown = escape_untrusted(step.into + "/" + entries[i].path);
    VMPATCH_TRY(const auto place, find(into->path + "/" + entries[i].path, LastLink::keep));
    if (!place) return {};  // one such link is enough to say
    VMPATCH_TRY(const bool same, is_as_packed(*place, entries[i]));
    if (!same) different.insert(shown);
    if (!same || entries[i].kind != ArchiveEntry::Kind::regular) continue;
    files.push_back(place->path);
    file_of.push_back(i);
  }
  VMPATCH_TRY(const auto digests, guest_.digests(files));
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& entry = entries[file_of[i]];
    if (digests[i] != entry.sha256) different.insert(escape_untrusted(step.into + "/" + entry.path));
  }
  constexpr std::size_t most_named = 5;
  const auto end_of_named = std::next(different.begin(), static_cast<std::ptrdiff_t>(std::min(different.size(), most_named)));
  findings_.note(different.empty(), fmt::format("{}: {} of {} members of {} are in place{}{}{}", step.into, entries.size() - different.size(),
                                                entries.size(), step.payload, different.empty() ? "" : "; not ",
                                                fmt::join(different.begin(), end_of_named, ", "),
                                                different.size() > most_named ? ", …" : ""));
  return {};
}

Result<bool> FileQuestions::is_as_packed(const guest::Place& place, const ArchiveEntry& entry) {
  if (!place.stat) return false;
  if (entry.kind == ArchiveEntry::Kind::directory && place.stat->kind == FileKind::symlink) {
    // Root's link to a folder stays, and what it leads to is not the archive's.
    VMPATCH_TRY(const auto end, find(place.path, LastLink::follow));
    return end && end->stat && end->stat->kind == FileKind::directory;
  }
  if (place.stat->uid != entry.uid || place.stat->gid != entry.gid) return false;
  if (entry.kind != ArchiveEntry::Kind::symlink) {
    const auto kind = entry.kind == ArchiveEntry::Kind::directory ? FileKind::directory : FileKind::regular;
    return place.stat->kind == kind && place.stat->mode == entry.mode;
  }
  if (place.stat->kind != FileKind::symlink) return false;
  VMPATCH_TRY(const auto target, guest_.readlink(place.path));
  return target == entry.target;
}

}  // namespace vmpatch::engine
